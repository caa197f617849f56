"""The feed-forward network that attends to learned vectors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.attention import check_heads
from kt2t.layers.dropout import Dropout
from kt2t.ops.heads import merge_heads, split_heads
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class ParameterAttention(keras.layers.Layer):
    """Attention to learned keys and values, in the place of a feed-forward network.

        y = W_o · concat_h( dropout(softmax(q_h · K_hᵀ)) · V_h ),   q = W_q · x

    The keys K and values V are weights, one row for each inner unit, and the logits are not divided by √depth: at the
    start the keys are small instead.

    Shapes:
        x (batch, time, hidden_dim), real (batch, time) boolean or None → (batch, time, hidden_dim), 0 where not real

    Args:
        intermediate_dim: Number of keys, and of values, of each head.
        num_heads: Number of heads.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; the width of x unless given.
        dropout: Probability of zeroing an attention weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, or `intermediate_dim` is not positive.

    Source: Vaswani et al. 2017, first version on arXiv, appendix, Two Feed-Forward Layers = Attention over Parameters;
    Tensor2Tensor's parameter_attention.
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int = 1,
        key_dim: int | None = None,
        value_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.intermediate_dim = positive("intermediate_dim", intermediate_dim)
        self.num_heads = positive("num_heads", num_heads)
        for option, width in (("key_dim", key_dim), ("value_dim", value_dim)):
            if width is not None:
                check_heads(num_heads, option, width)
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        hidden_dim = input_shape[-1]
        key_dim, value_dim = self.key_dim or hidden_dim, self.value_dim or hidden_dim
        check_heads(self.num_heads, "key_dim", key_dim)
        check_heads(self.num_heads, "value_dim", value_dim)
        self.query = self._projection(key_dim, input_shape)
        self.output_projection = self._projection(hidden_dim, (*input_shape[:-1], value_dim))
        initial = keras.initializers.RandomNormal(0.0, (self.num_heads / hidden_dim) ** 0.5)
        rows = (self.num_heads, self.intermediate_dim)
        self.keys = self.add_weight(shape=(*rows, key_dim // self.num_heads), initializer=initial, name="keys")
        self.values = self.add_weight(shape=(*rows, value_dim // self.num_heads), initializer=initial, name="values")

    def call(self, x: Tensor, real: Tensor | None = None, training: bool | None = None) -> Tensor:
        query = split_heads(self.query(x), self.num_heads)
        keys, values = ops.cast(self.keys, query.dtype), ops.cast(self.values, query.dtype)
        logits = ops.cast(ops.matmul(query, ops.swapaxes(keys, -1, -2)), "float32")
        weights = self.dropout(ops.cast(ops.softmax(logits, axis=-1), query.dtype), training=training)
        y = self.output_projection(merge_heads(ops.matmul(weights, values)))
        return y if real is None else y * ops.cast(ops.expand_dims(real, -1), y.dtype)

    def _projection(self, width: int, shape: Any) -> keras.layers.Dense:
        dense = keras.layers.Dense(width, use_bias=False, dtype=self.dtype_policy)
        dense.build(shape)
        return dense
