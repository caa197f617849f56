"""Convolutions over a picture, each followed by pooling."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.options import below_one, positive
from kt2t.registry import register

Tensor = Any


@register
class Convolutions(keras.layers.Layer):
    """A small convolutional network: blocks of ReLU, max-pooling, dropout and convolution, then one dense layer.

        x ← dropout(maxpool(relu(x))),   x ← dropout(maxpool(relu(W_k * x + b_k))) for each k,
        y = dropout(relu(W · flat(x) + b))

    The first convolution is the embedding's, so x is not rectified yet. Each pooling halves the map, the last row and column
    left over included. A small network for small pictures of one size; it has no normalisation.

    Shapes:
        x (batch, height, width, channels) → (batch, 1, 1, intermediate_dim)

    Args:
        filters: Channels of each further convolution.
        kernel_size: Side of a convolution, in pixels.
        intermediate_dim: Width of the layer over the whole map.
        dropout: Probability of zeroing an element after pooling; twice that, at most 0.5, after the wide layer.

    Raises:
        ValueError: A size is not positive or not known, `filters` is empty, or `dropout` is not a probability.

    Source: LeCun et al. 1998, with rectifiers, max-pooling and dropout.
    """

    def __init__(
        self,
        filters: list[int] | None = None,
        kernel_size: int = 3,
        intermediate_dim: int = 128,
        dropout: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = [positive("filters", count) for count in ([64] if filters is None else filters)]
        if not self.filters:
            raise ValueError("filters: there are none. Give the channels of each block, such as [64].")
        self.dropout = below_one("dropout", dropout)
        positive("kernel_size", kernel_size)
        dtype = self.dtype_policy
        self.convolutions = [
            keras.layers.Conv2D(count, kernel_size, padding="same", activation="relu", dtype=dtype)
            for count in self.filters
        ]
        self.pool = keras.layers.MaxPooling2D(2, padding="same", dtype=dtype)
        self.dense = keras.layers.Dense(positive("intermediate_dim", intermediate_dim), activation="relu", dtype=dtype)
        self.block_dropouts = [Dropout(dropout, dtype=dtype) for _ in [0, *self.filters]]
        self.dense_dropout = Dropout(min(0.5, 2 * dropout), dtype=dtype)

    def build(self, x_shape: Any) -> None:
        if None in x_shape[1:]:
            raise ValueError(f"encoder: Convolutions reads maps of one size, not {tuple(x_shape[1:])}. Use a Sequence.")
        shape = self.pool.compute_output_shape(tuple(x_shape))
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = self.pool.compute_output_shape(convolution.compute_output_shape(shape))
        self._flat = int(shape[1] * shape[2] * shape[3])
        self.dense.build((shape[0], 1, 1, self._flat))

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        first, *further = self.block_dropouts
        x = first(self.pool(ops.relu(x)), training=training)
        for convolution, dropout in zip(self.convolutions, further, strict=True):
            x = dropout(self.pool(convolution(x)), training=training)
        x = self.dense(ops.reshape(x, (-1, 1, 1, self._flat)))
        return self.dense_dropout(x, training=training)

    def compute_output_shape(self, x_shape: Any) -> tuple[Any, ...]:
        return (x_shape[0], 1, 1, self.dense.units)
