"""Compresses blocks of positions by a convolution."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class BlockConvolution(keras.layers.Layer):
    """Turns each block of positions into one vector: a convolution whose stride is its width.

        y_b = Σ_f W_f x_(b, f) + c

    Shapes:
        x (batch, blocks, factor, dim) → (batch, blocks, dim)

    Source: Liu et al. 2018 (Generating Wikipedia), section 4.2.4.
    """

    def build(self, x_shape: Any) -> None:
        *_, factor, dim = x_shape
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        self.projection = keras.layers.Dense(dim, kernel_initializer=fan_avg, dtype=self.dtype_policy)
        self.projection.build((None, None, factor * dim))

    def call(self, x: Tensor) -> Tensor:
        batch, blocks, factor, dim = ops.shape(x)
        return self.projection(ops.reshape(x, (batch, blocks, factor * dim)))
