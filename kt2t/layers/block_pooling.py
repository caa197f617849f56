"""Compresses blocks of positions by attention within each block."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.attention import check_heads
from kt2t.registry import register

Tensor = Any


@register
class BlockPooling(keras.layers.Layer):
    """Turns each block of positions into one vector by attention: a weighted mean of the block's values.

        w_g = Σ_f exp(q_f · k_g / √d_h) / Σ_(f, g) exp(q_f · k_g / √d_h),   y = W_o · concat_h( Σ_g w_g v_g )

    The softmax is over all pairs of positions in a block.

    Shapes:
        x (batch, blocks, factor, dim) → (batch, blocks, output_dim)

    Args:
        num_heads: Number of attention heads.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.

    Raises:
        ValueError: `num_heads` does not divide a width.

    Source: Tensor2Tensor's local_reduction_attention.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for option, width in (("key_dim", key_dim), ("value_dim", value_dim)):
            if width is not None:
                check_heads(num_heads, option, width)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.output_dim = output_dim

    def build(self, x_shape: Any) -> None:
        key_dim = self.key_dim or x_shape[-1]
        self._value_dim = self.value_dim or key_dim
        check_heads(self.num_heads, "key_dim", key_dim)
        check_heads(self.num_heads, "value_dim", self._value_dim)
        self.query = self._projection(key_dim, x_shape[-1])
        self.key = self._projection(key_dim, x_shape[-1])
        self.value = self._projection(self._value_dim, x_shape[-1])
        self.output_projection = self._projection(self.output_dim or x_shape[-1], self._value_dim)

    def call(self, x: Tensor) -> Tensor:
        query, key, value = (self._heads(project(x)) for project in (self.query, self.key, self.value))
        logits = ops.cast(ops.matmul(query * query.shape[-1] ** -0.5, ops.swapaxes(key, -1, -2)), "float32")
        *outer, factor, _ = ops.shape(logits)
        pairs = ops.reshape(ops.softmax(ops.reshape(logits, (*outer, factor * factor))), (*outer, factor, factor))
        weights = ops.sum(ops.cast(pairs, value.dtype), axis=3, keepdims=True)
        means = ops.squeeze(ops.matmul(weights, value), 3)
        return self.output_projection(ops.reshape(means, (*outer[:2], self._value_dim)))

    def _heads(self, x: Tensor) -> Tensor:
        """Splits (batch, blocks, factor, width) into (batch, blocks, heads, factor, depth)."""
        batch, blocks, factor, width = ops.shape(x)
        x = ops.reshape(x, (batch, blocks, factor, self.num_heads, width // self.num_heads))
        return ops.transpose(x, (0, 1, 3, 2, 4))

    def _projection(self, width: int, dim: int) -> keras.layers.Dense:
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        dense = keras.layers.Dense(width, use_bias=False, kernel_initializer=fan_avg, dtype=self.dtype_policy)
        dense.build((None, None, dim))
        return dense
