"""Steps of a Universal Transformer whose transition is an LSTM."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.recurrence import Carried, Recurrence
from kt2t.layers.residual import norm_like
from kt2t.registry import register

Tensor = Any


@register
class LSTMRecurrence(Recurrence):
    """A long short-term memory over the steps takes the place of the feed-forward network.

        u = norm(attention(x)),   i, o = σ(W · [u, x] + b) each,   f = σ(W_f · [u, x] + b_f + forget_bias),
        j = tanh(W_j · [u, x] + b_j)
        c' = f ⊙ c + i ⊙ j,   x' = norm(o ⊙ tanh(c'))

    The memory c begins at 0 and belongs to a position; it is carried from step to step, not along time.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        forget_bias: Added to the argument of the forget gate, so that the memory is kept at first.

    Source: Hochreiter and Schmidhuber 1997; Tensor2Tensor, universal_transformer_with_lstm_as_transition_function.
    """

    has_step_signal = False
    is_transition = True

    def __init__(self, forget_bias: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.forget_bias = forget_bias

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        dtype = self.dtype_policy
        self.norm, self.last_norm = (norm_like(normalization, dtype.name) for _ in range(2))
        for norm in (self.norm, self.last_norm):
            norm.build((None, hidden_dim))
        self.input_gate = keras.layers.Dense(hidden_dim, "sigmoid", dtype=dtype)
        self.forget_gate = keras.layers.Dense(hidden_dim, dtype=dtype)
        self.output_gate = keras.layers.Dense(hidden_dim, "sigmoid", dtype=dtype)
        self.modulation = keras.layers.Dense(hidden_dim, "tanh", dtype=dtype)
        for dense in (self.input_gate, self.forget_gate, self.output_gate, self.modulation):
            dense.build((None, 2 * hidden_dim))

    def begin(self, x: Tensor) -> Carried:
        return [x, ops.zeros_like(x)]

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        state, memory = carried
        both = ops.concatenate([self.norm(transformed), state], axis=-1)
        forget = ops.sigmoid(self.forget_gate(both) + self.forget_bias)
        memory = forget * memory + self.input_gate(both) * self.modulation(both)
        return [self.last_norm(self.output_gate(both) * ops.tanh(memory)), memory]
