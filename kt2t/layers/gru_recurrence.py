"""Steps of a Universal Transformer whose transition is a GRU."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.recurrence import Carried, Recurrence
from kt2t.layers.residual import norm_like
from kt2t.registry import register

Tensor = Any


@register
class GRURecurrence(Recurrence):
    """A gated recurrent unit over the steps takes the place of the feed-forward network.

        u = norm(attention(x)),   z = σ(W_z · [u, x] + b_z),   r = σ(W_r · [u, x] + b_r)
        x' = norm((1 - z) ⊙ u + z ⊙ tanh(W_c · [u, r ⊙ x] + b_c))

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Source: Cho et al. 2014; Tensor2Tensor, universal_transformer_with_gru_as_transition_function, which mixes the
    candidate with u in place of the old state. The biases of the gates begin at 1.
    """

    has_step_signal = False
    is_transition = True

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        dtype = self.dtype_policy
        self.norm, self.last_norm = (norm_like(normalization, dtype.name) for _ in range(2))
        ones = keras.initializers.Ones()
        self.update = keras.layers.Dense(hidden_dim, "sigmoid", bias_initializer=ones, dtype=dtype)
        self.reset = keras.layers.Dense(hidden_dim, "sigmoid", bias_initializer=ones, dtype=dtype)
        self.candidate = keras.layers.Dense(hidden_dim, "tanh", dtype=dtype)
        for norm in (self.norm, self.last_norm):
            norm.build((None, hidden_dim))
        for dense in (self.update, self.reset, self.candidate):
            dense.build((None, 2 * hidden_dim))

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        (state,) = carried
        u = self.norm(transformed)
        both = ops.concatenate([u, state], axis=-1)
        update = self.update(both)
        candidate = self.candidate(ops.concatenate([u, self.reset(both) * state], axis=-1))
        return [self.last_norm((1 - update) * u + update * candidate)]
