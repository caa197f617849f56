"""The contract of the attention with which a recurrent decoder reads a memory."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.feed_forward import check_activation
from kt2t.layers.tap import Tap
from kt2t.ops.keras_masks import attention_mask
from kt2t.options import positive

Tensor = Any

# What masked scores become: far below any other, and finite, so that a query with nothing to see has a finite output.
_HIDDEN = -1.0e9


class MemoryAttention(keras.layers.Layer):
    """Base class of attention to a memory as recurrent decoders use it: queries score projected positions of the memory.

        w = softmax_j(score(q, W_m m_j)),   c = Σ_j w_j m_j,   a = concat_h(f(W_h [q; c]))

    Scores are computed once: as in Tensor2Tensor, a head is one more output layer over the same mean. A subclass defines
    `_scores`, and may add weights in `_build_scores`.

    Shapes:
        query (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key), or (batch, key), which
        hides padding → (batch, query, num_heads · attention_dim)

    Args:
        num_heads: Number of output layers.
        attention_dim: Width of the output of each head; the width of the query unless given.
        activation: Name of a Keras activation f; none unless given, as in Tensor2Tensor.

    Raises:
        ValueError: A size is not positive, or the activation is unknown.

    Attributes:
        output_dim: Width of the output; known once the layer is built.
    """

    def __init__(
        self, num_heads: int = 1, attention_dim: int | None = None, activation: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = positive("num_heads", num_heads)
        self.attention_dim = attention_dim if attention_dim is None else positive("attention_dim", attention_dim)
        if activation is not None:
            check_activation(activation)
        self.activation = keras.activations.get(activation)
        self.tap = Tap(kind="attention", dtype=self.dtype_policy)

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        self.output_dim = self.width(query_shape[-1])
        self._build_scores(query_shape[-1], memory_shape[-1])
        self.output_projection = self._projection(self.output_dim, query_shape[-1] + memory_shape[-1])

    def width(self, query_dim: int) -> int:
        """Returns the width of the output for queries of this width."""
        return self.num_heads * (self.attention_dim or query_dim)

    def call(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        keys, mask = self.keys(memory), attention_mask(mask, memory)
        self.show(query, keys, mask)
        return self.attend(query, keys, memory, mask)

    def keys(self, memory: Tensor) -> Tensor:
        """Projects a memory once for all queries: (batch, key, dim) → (batch, key, key_dim)."""
        return self.memory_projection(memory)

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Computes the output for queries, given the keys of a memory (see `keys`) and the memory itself as values."""
        weights = ops.cast(self._weights(query, keys, mask), self.compute_dtype)
        mean = ops.matmul(weights, ops.cast(values, self.compute_dtype))
        both = ops.concatenate([ops.cast(query, self.compute_dtype), mean], axis=-1)
        return self.activation(rows(self.output_projection, both))

    def show(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> None:
        """Shows the weights (batch, 1, query, key) to an open `capture`. A loop over time cannot do so itself."""
        if self.tap.is_watched():
            self.tap(ops.expand_dims(self._weights(query, keys, mask), 1))

    def _weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """Computes the weights (batch, query, key) by a softmax in float32."""
        scores = ops.cast(self._scores(ops.cast(query, self.compute_dtype), keys), "float32")
        return ops.softmax(scores if mask is None else ops.where(mask, scores, _HIDDEN), axis=-1)

    def _build_scores(self, query_dim: int, memory_dim: int) -> None:
        """Makes the weights of the scores; `memory_projection` is one."""
        raise NotImplementedError(f"{type(self).__name__} must define _build_scores(query_dim, memory_dim).")

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Computes the scores: query (batch, query, dim), keys (batch, key, key_dim) → (batch, query, key)."""
        raise NotImplementedError(f"{type(self).__name__} must define _scores(query, keys).")

    def _projection(self, width: int, input_dim: int) -> keras.layers.Dense:
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        dense = keras.layers.Dense(width, use_bias=False, kernel_initializer=fan_avg, dtype=self.dtype_policy)
        dense.build((None, input_dim))
        return dense


def rows(dense: keras.layers.Dense, x: Tensor) -> Tensor:
    """Applies a dense layer to (batch, query, dim) as one matrix product, whose gradient is one product, too."""
    flat = dense(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(flat, (-1, ops.shape(x)[1], flat.shape[-1]))
