"""The position-wise feed-forward network."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class FeedForward(keras.layers.Layer):
    """Position-wise feed-forward network: dense layer, activation, dropout, dense layer.

        y = W2 · dropout(f(W1 · x + b1)) + b2

    Shapes:
        x (batch, time, hidden_dim), real (batch, time) boolean or None → (batch, time, hidden_dim), 0 where not real

    Args:
        intermediate_dim: Width between the two projections.
        activation: Name of a Keras activation.
        dropout: Probability of zeroing an inner unit, in training only.

    Raises:
        ValueError: `intermediate_dim` is not positive, or Keras has no such activation.

    Source: Vaswani et al. 2017, section 3.3; the inner dropout is Tensor2Tensor's.
    """

    def __init__(self, intermediate_dim: int, activation: str = "relu", dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        check_activation(activation)
        self.intermediate_dim = positive("intermediate_dim", intermediate_dim)
        self.activation = activation
        self.widen = keras.layers.Dense(intermediate_dim, activation=activation, dtype=self.dtype_policy)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.narrow: Any = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.narrow = keras.layers.Dense(input_shape[-1], dtype=self.dtype_policy)
        self.widen.build(input_shape)
        self.narrow.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, x: Tensor, real: Tensor | None = None, training: bool | None = None) -> Tensor:
        y = self.narrow(self.inner(x, training=training))
        return y if real is None else y * ops.cast(ops.expand_dims(real, -1), y.dtype)

    def inner(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Computes the inner units, (batch, time, intermediate_dim)."""
        return self.dropout(self.widen(x), training=training)


def check_activation(activation: str) -> None:
    """Raises a ValueError if Keras has no activation of this name."""
    try:
        keras.activations.get(activation)
    except ValueError:
        raise ValueError(f"activation: Keras has no {activation!r}. Choose relu, gelu or silu.") from None
