"""The feed-forward network with gated units."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.layers.feed_forward import check_activation
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class GatedFeedForward(keras.layers.Layer):
    """Position-wise feed-forward network whose inner units are multiplied by gates: the family of gated linear units.

        y = W2 · dropout(f(V · x + c) ⊙ (W1 · x + b1)) + b2

    f = sigmoid is GLU, relu is ReGLU, gelu is GEGLU, silu is SwiGLU, and linear is the bilinear network. With ⅔ of the
    intermediate_dim of a `FeedForward` it has as many weights.

    Shapes:
        x (batch, time, hidden_dim), real (batch, time) boolean or None → (batch, time, hidden_dim), 0 where not real

    Args:
        intermediate_dim: Number of inner units.
        activation: Name of the Keras activation of the gates.
        use_bias: Whether the three dense layers have a bias. The paper's have none.
        dropout: Probability of zeroing an inner unit, in training only.

    Raises:
        ValueError: `intermediate_dim` is not positive, or Keras has no such activation.

    Source: Shazeer 2020, GLU Variants Improve Transformer, equations 5 and 6; Dauphin et al. 2017 for GLU.
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: str = "silu",
        use_bias: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        check_activation(activation)
        self.intermediate_dim = positive("intermediate_dim", intermediate_dim)
        self.activation = activation
        self.use_bias = use_bias
        self.gate = self._dense(intermediate_dim, activation)
        self.widen = self._dense(intermediate_dim)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.narrow: Any = None

    def build(self, input_shape: Any) -> None:
        self.narrow = self._dense(input_shape[-1])
        self.gate.build(input_shape)
        self.widen.build(input_shape)
        self.narrow.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, x: Tensor, real: Tensor | None = None, training: bool | None = None) -> Tensor:
        y = self.narrow(self.dropout(self.gate(x) * self.widen(x), training=training))
        return y if real is None else y * ops.cast(ops.expand_dims(real, -1), y.dtype)

    def _dense(self, width: int, activation: str | None = None) -> keras.layers.Dense:
        return keras.layers.Dense(width, activation=activation, use_bias=self.use_bias, dtype=self.dtype_policy)
