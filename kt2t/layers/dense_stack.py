"""Dense layers over a whole picture."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.options import below_one, positive
from kt2t.registry import register

Tensor = Any


@register
class DenseStack(keras.layers.Layer):
    """Flattens a feature map and applies dense layers, each with ReLU and dropout.

        y = flat(x),   y ← dropout(relu(W_k · y + b_k))

    Shapes:
        x (batch, height, width, channels) → (batch, 1, 1, widths[-1])

    Args:
        widths: Width of each layer.
        dropout: Probability of zeroing an output of a layer.

    Raises:
        ValueError: A width is not positive, `widths` is empty, the map's size is unknown, or `dropout` is not a probability.

    Source: LeCun et al. 1998, section III.C.4, with rectifiers and dropout (Srivastava et al. 2014, section 6.1.1).
    """

    def __init__(self, widths: list[int] | None = None, dropout: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widths = [positive("widths", width) for width in ([512, 512] if widths is None else widths)]
        if not self.widths:
            raise ValueError("widths: there are none. Give the width of each layer, such as [512, 512].")
        self.dropout = below_one("dropout", dropout)
        self.layers = [keras.layers.Dense(width, activation="relu", dtype=self.dtype_policy) for width in self.widths]
        self.dropouts = [Dropout(dropout, dtype=self.dtype_policy) for _ in self.widths]

    def build(self, x_shape: Any) -> None:
        if None in x_shape[1:]:
            raise ValueError(f"encoder: DenseStack reads maps of one size, not {tuple(x_shape[1:])}. Use a Sequence.")
        self._flat = math.prod(x_shape[1:])
        for width, layer in zip([self._flat, *self.widths], self.layers, strict=False):
            layer.build((x_shape[0], 1, 1, width))

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        x = ops.reshape(x, (-1, 1, 1, self._flat))
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            x = dropout(layer(x), training=training)
        return x

    def compute_output_shape(self, x_shape: Any) -> tuple[Any, ...]:
        return (x_shape[0], 1, 1, self.widths[-1])
