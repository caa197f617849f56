"""Self attention whose keys and values stand for blocks of positions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.attention import Attention
from kt2t.layers.block_convolution import BlockConvolution
from kt2t.layers.cache import Cache
from kt2t.layers.tap import Tap
from kt2t.layers.window_attention import segment_rule
from kt2t.ops.heads import merge_heads, split_heads
from kt2t.ops.keras_masks import attention_mask
from kt2t.ops.masks import SegmentMask
from kt2t.ops.positions import positions
from kt2t.options import positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class MemoryCompressedAttention(Attention):
    """Self attention in which `factor` positions share one key and one value.

        m_0 = x_0,   m_b+1 = f(compress(x_bF … x_bF+F-1)),   k = W_k m,  v = W_v m,   i sees m_b  ⇔  b · F ≤ i

    Under a causal mask a query sees the blocks that ended before it, and the first position of its example, so that
    there is always something to see. An encoder sees all blocks of the example. Positions behind the last whole
    block are compressed into nothing; a residual connection carries them on. Time and memory grow with
    time × (time / F); in decoding a beam keeps one key and value for F positions. Blocks are counted from the start of
    each example, also in a packed row.

    Its tap has the kind `compressed attention`: (batch, heads, query, 1 + blocks).

    Shapes:
        x (batch, time, dim), mask: a `SegmentMask`, or a padding mask (batch, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of attention heads.
        factor: F, the number of positions in a block.
        compression: Prototype of the layer that turns blocks (batch, blocks, factor, dim) into (batch, blocks, dim):
            `BlockConvolution` unless given, or `BlockPooling`.
        activation: f, the name of a Keras activation; none unless given.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, `factor` is not positive, or `compression` is not a layer.

    Source: Liu et al. 2018 (Generating Wikipedia by Summarizing Long Sequences), section 4.2.4; the first position and
    the mask are Tensor2Tensor's. Departs from its code, which lets padding and neighbours in the row be seen.
    """

    takes_front = False

    def __init__(
        self,
        num_heads: int,
        factor: int = 3,
        compression: Any = None,
        activation: str | None = None,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, output_dim, dropout, **kwargs)
        self.factor = positive("factor", factor)
        compression = BlockConvolution() if compression is None else compression
        if not isinstance(compression, keras.layers.Layer):
            raise ValueError(f"compression: {compression!r} is no layer. Use BlockConvolution() or BlockPooling(…).")
        self.compression = build(describe(compression), dtype=self.dtype_policy.name)
        self.activation = keras.activations.get(activation)
        self.tap = Tap(kind="compressed attention", dtype=self.dtype_policy)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        if memory_shape is not None:
            name = type(self).__name__
            raise ValueError(f"attention: {name} is self attention, and cannot read a memory. Use Attention.")
        super().build(x_shape)
        self._dim = x_shape[-1]
        self.compression.build((None, None, self.factor, self._dim))

    def call(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Any = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        query = split_heads(self.query(x), self.num_heads) * (self._key_dim // self.num_heads) ** -0.5
        if cache is not None:
            first, keys, values, seen = self._remembered(x, cache)
        else:
            rule = segment_rule(attention_mask(mask, x), query)
            first, blocks, seen = self._compressed(x, rule)
            keys, values = self._heads(self.key, blocks), self._heads(self.value, blocks)
        first_key, first_value = self._heads(self.key, first), self._heads(self.value, first)
        nearest = ops.sum(query * first_key, axis=-1, keepdims=True)
        logits = ops.concatenate([nearest, ops.matmul(query, ops.swapaxes(keys, -1, -2))], axis=-1)
        seen = ops.pad(seen, [[0, 0], [0, 0], [1, 0]], constant_values=True)
        weights = self._weights(logits, seen, training)
        means = weights[..., :1] * first_value + ops.matmul(weights[..., 1:], values)
        return self.output_projection(merge_heads(means))

    def reserve(self, cache: Cache) -> None:
        """Reserves space for a key and a value of every block, and for the positions of the block that is not full."""
        heads = self.num_heads
        cache.reserve("keys", heads, self._key_dim // heads, self.compute_dtype, self.factor)
        cache.reserve("values", heads, self._value_dim // heads, self.compute_dtype, self.factor)
        cache.keep("first", (self._dim,), self.compute_dtype)
        cache.keep("block", (self.factor, self._dim), self.compute_dtype)

    def _compressed(self, x: Tensor, rule: SegmentMask) -> tuple[Tensor, Tensor, Tensor]:
        """Compresses the whole blocks of all examples.

        Shapes:
            x (batch, time, dim) → the first position of each position's example (batch, time, dim), blocks (batch, n, dim)
            and which blocks each position sees (batch, time, n), where n = ⌈time / factor⌉
        """
        segments, (batch, length) = rule.segments, ops.shape(x)[:2]
        count, index = -(-length // self.factor), ops.arange(length, dtype="int32")
        own = ops.ones_like(segments) if rule.reads_padding else segments
        place = positions(own)
        ends = ops.logical_and(segments > 0, place % self.factor == self.factor - 1)
        ends = ops.sort(ops.where(ends, index, length), axis=1)[:, :count]
        within = ops.expand_dims(ends, 2) + ops.arange(1 - self.factor, 1, dtype="int32")
        within = ops.reshape(ops.clip(within, 0, length - 1), (batch, count * self.factor, 1))
        blocks = ops.take_along_axis(x, within, axis=1)
        blocks = ops.reshape(blocks, (batch, count, self.factor, self._dim))
        first = ops.take_along_axis(x, ops.expand_dims(index - place, 2), axis=1)
        padded = ops.pad(own, [[0, 0], [0, 1]])
        of_block = ops.expand_dims(ops.take_along_axis(padded, ends, axis=1), 1)
        seen = ops.logical_and(ops.equal(of_block, ops.expand_dims(own, 2)), of_block > 0)
        if rule.causal:
            seen = ops.logical_and(seen, ops.expand_dims(ends, 1) < ops.expand_dims(index, 1))
        return first, self.activation(self.compression(blocks)), seen

    def _remembered(self, x: Tensor, cache: Cache) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Writes this step into the cache: x (batch, beams, dim). Returns first positions, keys, values and what is seen."""
        position = ops.cast(cache.position, "int32")
        first, block = cache.read("first"), cache.read("block")
        first = ops.where(ops.equal(position, 0), ops.cast(x, first.dtype), first)
        new = ops.cast(ops.expand_dims(x, 2), block.dtype)
        block = ops.slice_update(block, (0, 0, position % self.factor, 0), new)
        cache.write("first", first)
        cache.write("block", block)
        compressed = self.activation(self.compression(block))
        keys = cache.append("keys", self._heads(self.key, compressed), self.factor)
        values = cache.append("values", self._heads(self.value, compressed), self.factor)
        return first, keys, values, cache.visible_blocks(self.factor)

    def _heads(self, projection: Any, x: Tensor) -> Tensor:
        return split_heads(projection(x), self.num_heads)
