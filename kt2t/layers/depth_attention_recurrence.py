"""Steps of a Universal Transformer that read a mean of all earlier steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.recurrence import Carried, Recurrence
from kt2t.registry import register

Tensor = Any


@register
class DepthAttentionRecurrence(Recurrence):
    """Each step transforms a weighted sum of the inputs and of the results of earlier steps, except the one just before it.

        z_t = Σ_(s < t) softmax(W · h_s + b) ⊙ h_s,   h_s = x_s + √hidden_dim · d_s

    x_0 is the input, x_s the result of step s, and d_s a learned vector of the depth s. The softmax is over the channels.

    Steps count from 0, so the first step reads zeros, the second the inputs, the third also the result of the first.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Source: Tensor2Tensor, universal_transformer_depthwise_attention, with which it agrees in both peculiarities.
    """

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        self.scores = keras.layers.Dense(hidden_dim, dtype=self.dtype_policy)
        self.scores.build((None, hidden_dim))
        self.depths = self.add_weight(
            shape=(num_steps + 1, hidden_dim),
            initializer=keras.initializers.RandomNormal(stddev=hidden_dim**-0.5),
            name="depths",
        )

    def read(self, carried: Carried, step: int) -> Tensor:
        if step == 0:
            return ops.zeros_like(carried[0])
        x = ops.stack(carried[:step], axis=0)
        scale = x.shape[-1] ** 0.5
        x = x + ops.cast(ops.reshape(self.depths[:step] * scale, (step, 1, 1, x.shape[-1])), x.dtype)
        return ops.sum(x * ops.softmax(self.scores(x), axis=-1), axis=0)

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        return [*carried, transformed]

    def result(self, carried: Carried, real: Tensor | None, watched: bool, training: bool | None = None) -> Tensor:
        return carried[-1]
