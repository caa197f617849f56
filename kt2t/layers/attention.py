"""Scaled dot-product attention with several heads."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.tap import Tap
from kt2t.ops.heads import merge_heads, split_heads
from kt2t.ops.keras_masks import attention_mask, implicit_mask
from kt2t.ops.masks import SegmentMask
from kt2t.registry import register

Tensor = Any
Mask = Tensor | SegmentMask

# What masked logits become: far below any other, and finite, so that a query with nothing to see has a finite output.
_HIDDEN = -1.0e9


@register
class Attention(keras.layers.Layer):
    """Multi-head attention: each query takes a mean of the values, weighted by how well their keys match the query.

        output = W_o · concat_h( softmax(q_h · k_hᵀ / √d_h) · v_h ),   q = W_q x,  k = W_k m,  v = W_v m

    The same code computes self attention (no memory), attention to a memory, and a step of cached decoding, in which the
    query axis holds the beams of one source. Queries, keys and values have no bias.

    Keras's implicit mask of what is attended to hides its padding, unless a mask is given; the output has that of x.

    Shapes:
        x (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key), as a tensor or as a
        `SegmentMask`, or (batch, key), which hides padding → (batch, query, output_dim)

    Args:
        num_heads: Number of attention heads.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width.

    Attributes:
        takes_front: Whether the sequence may follow a memory in front of it, with padding between the two.
        can_decode: Whether `reserve` and `call` with a cache decode position by position. A kind that is no subclass
            sets it, too.

    Source: Vaswani et al. 2017, section 3.2.2.
    """

    takes_front = True
    can_decode = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
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
        self.tap = Tap(kind="attention", dtype=self.dtype_policy)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        self._key_dim = self.key_dim or x_shape[-1]
        self._value_dim = self.value_dim or self._key_dim
        check_heads(self.num_heads, "key_dim", self._key_dim)
        check_heads(self.num_heads, "value_dim", self._value_dim)
        memory_shape = memory_shape or x_shape
        self.query = self._projection(self._key_dim, x_shape)
        self.key = self._projection(self._key_dim // self.num_heads * self.key_heads, memory_shape)
        self.value = self._projection(self._value_dim // self.num_heads * self.key_heads, memory_shape)
        self.output_projection = self._projection(
            self.output_dim or x_shape[-1], (*tuple(x_shape)[:-1], self._value_dim)
        )

    def call(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Mask | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        query = self._queries(x, cache) * (self._key_dim // self.num_heads) ** -0.5
        source = x if memory is None else memory
        key, value = self._keys_and_values(source, cache)
        mask = attention_mask(mask, source if cache is None else None)
        return self.output_projection(merge_heads(self._means(query, key, value, mask, cache, training)))

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Tensor | None:
        """Returns the implicit mask of the queries `x`; the argument `mask` of `call` concerns the keys."""
        return implicit_mask(x)

    def remember(self, memory: Tensor, cache: Cache) -> None:
        """Computes the keys and values of a memory and stores them in the cache, from which `call` reads them."""
        cache.remember("keys", self._keys(memory, None))
        cache.remember("values", split_heads(self.value(memory), self.key_heads))

    def reserve(self, cache: Cache) -> None:
        """Reserves space in the cache for the keys and values of all positions that will be decoded."""
        cache.reserve("keys", self.key_heads, self._key_dim // self.num_heads, self.compute_dtype)
        cache.reserve("values", self.key_heads, self._value_dim // self.num_heads, self.compute_dtype)

    @property
    def key_heads(self) -> int:
        """Returns the number of heads of the keys and values."""
        return self.num_heads

    def _queries(self, x: Tensor, cache: Cache | None) -> Tensor:
        """Computes the queries (batch, heads, query, depth), not scaled yet."""
        return split_heads(self.query(x), self.num_heads)

    def _keys(self, source: Tensor, cache: Cache | None) -> Tensor:
        """Computes the keys (batch, key_heads, key, depth)."""
        return split_heads(self.key(source), self.key_heads)

    def _keys_and_values(self, source: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        if cache is not None and cache.holds("keys"):
            return cache.read("keys"), cache.read("values")
        key, value = self._keys(source, cache), split_heads(self.value(source), self.key_heads)
        if cache is None:
            return key, value
        return cache.append("keys", key), cache.append("values", value)

    def _means(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask | None, cache: Cache | None, training: Any
    ) -> Tensor:
        """Computes each head's weighted mean of the values, (batch, heads, query, depth); `query` is already scaled."""
        weights = self._weights(ops.matmul(query, ops.swapaxes(key, -1, -2)), mask, training)
        return ops.matmul(weights, value)

    def _weights(self, logits: Tensor, mask: Mask | None, training: Any) -> Tensor:
        """Computes the attention weights (batch, heads, query, key) by a softmax in float32."""
        dtype, logits = logits.dtype, ops.cast(logits, "float32")
        if isinstance(mask, SegmentMask):
            mask = mask.dense()
        if mask is not None:
            logits = ops.where(ops.expand_dims(mask, 1), logits, _HIDDEN)
        return self.dropout(self.tap(ops.cast(self._normalized(logits), dtype)), training=training)

    def _normalized(self, logits: Tensor) -> Tensor:
        """Turns the logits of each query into weights that sum to 1."""
        return ops.softmax(logits, axis=-1)

    def _projection(self, width: int, shape: Any) -> keras.layers.Dense:
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        dense = keras.layers.Dense(width, use_bias=False, kernel_initializer=fan_avg, dtype=self.dtype_policy)
        dense.build(shape)
        return dense


def check_heads(num_heads: int, option: str, width: int, name: str = "num_heads") -> None:
    """Raises a ValueError unless `num_heads` divides `width`; the message uses the options' names `name` and `option`."""
    if num_heads < 1 or width % num_heads:
        fits = [str(heads) for heads in (1, 2, 4, 8, 16, 32) if width % heads == 0]
        raise ValueError(f"{name}: {num_heads} heads do not divide {option} {width}. Choose {_either(fits)}.")


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
