"""The base class of attention that looks at a window around each position."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.attention import Attention
from kt2t.layers.cache import Cache
from kt2t.layers.tap import Tap
from kt2t.ops.heads import split_heads
from kt2t.ops.masks import SegmentMask
from kt2t.ops.positions import positions
from kt2t.ops.windows import block_size, blocks, columns_of_distances, windows
from kt2t.options import positive

Tensor = Any


class WindowAttention(Attention):
    """Base class of self attention in which each position sees a window of its own example.

    A subclass says how far a query may look (`reach`) and which of the keys there it sees (`sees`), both by the positions
    within an example. So an example in a packed row sees what it sees in a row of its own. Queries are cut into blocks
    of `block_length`, and each block is compared with the keys of the blocks in reach: time and memory grow with
    time × window, and no (time × time) tensor is made. A step of cached decoding keeps the keys and values of one window.

    Its tap has the kind `window attention`: the weights are (batch, heads, blocks, position in block, position in window).

    Shapes:
        x (batch, time, dim), mask: a `SegmentMask`, or a padding mask (batch, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of attention heads.
        block_length: Length of a block, in positions. A longer block than the sequence is one block.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, or `block_length` is not positive.
    """

    takes_front = False

    def __init__(
        self,
        num_heads: int,
        block_length: int = 256,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, output_dim, dropout, **kwargs)
        self.block_length = positive("block_length", block_length)
        self.tap = Tap(kind="window attention", dtype=self.dtype_policy)

    def reach(self) -> tuple[int, int]:
        """Returns the largest distances, in positions, of the earlier and of the later keys that a query may see."""
        raise NotImplementedError(f"{type(self).__name__} must define reach().")

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """Returns True where a query may see a key of the same example, by the window alone; the caller adds a causal mask.

        Shapes:
            query, key: int32 positions within the example, that broadcast against each other → boolean of their common shape
        """
        raise NotImplementedError(f"{type(self).__name__} must define sees(query, key).")

    def by_distance(self, query: Tensor) -> tuple[Tensor, int, int] | None:
        """Returns what is added to the logits of each query by distance, with the largest distances; None for nothing.

        Shapes:
            query (…, depth) → (…, left + 1 + right), left, right
        """
        return None

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        if memory_shape is not None:
            name = type(self).__name__
            raise ValueError(f"attention: {name} is self attention, and cannot read a memory. Use Attention.")
        super().build(x_shape)

    def reserve(self, cache: Cache) -> None:
        """Reserves space in the cache for the keys and values of one window for each beam."""
        rows = self.reach()[0] + 1
        for name, width in (("keys", self._key_dim), ("values", self._value_dim)):
            cache.keep(name, (self.num_heads, rows, width // self.num_heads), self.compute_dtype)

    def _keys_and_values(self, source: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        if cache is None:
            return super()._keys_and_values(source, None)
        row = ops.cast(cache.position, "int32") % (self.reach()[0] + 1)
        for name, project in (("keys", self.key), ("values", self.value)):
            new = ops.expand_dims(ops.swapaxes(split_heads(project(source), self.num_heads), 1, 2), 3)
            held = cache.read(name)
            cache.write(name, ops.slice_update(held, (0, 0, 0, row, 0), ops.cast(new, held.dtype)))
        return cache.read("keys"), cache.read("values")

    def _means(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Any, cache: Cache | None, training: Any
    ) -> Tensor:
        if cache is not None:
            return self._step(query, key, value, cache.position)
        rule = segment_rule(mask, key)
        size = block_size(self.block_length, ops.shape(key)[2])
        left, right = self.reach()
        before = -(-left // self.block_length)
        after = 0 if rule.causal else -(-right // self.block_length)
        added = self.by_distance(query)
        query = blocks(query, size, 2)
        logits = ops.matmul(query, ops.swapaxes(windows(key, size, before, after, 2), -1, -2))
        if added is not None:
            by_distance, nearest, farthest = added
            logits += columns_of_distances(blocks(by_distance, size, 2), nearest, farthest, before, after)
        weights = self._weights(logits, self._seen(rule, size, before, after), training)
        means = ops.matmul(weights, windows(value, size, before, after, 2))
        shape = ops.shape(means)
        means = ops.reshape(means, (-1, self.num_heads, shape[2] * shape[3], means.shape[-1]))
        return means[:, :, : ops.shape(key)[2]]

    def _seen(self, rule: SegmentMask, size: Any, before: int, after: int) -> Tensor:
        """Makes the mask (batch, blocks, position in block, position in window)."""
        segments = rule.segments
        place = positions(ops.ones_like(segments) if rule.reads_padding else segments)

        def queries(x: Tensor) -> Tensor:
            return ops.expand_dims(blocks(x, size, 1), 3)

        def keys(x: Tensor) -> Tensor:
            return ops.expand_dims(windows(x, size, before, after, 1), 2)

        seen = ops.greater(keys(segments), 0)
        if not rule.reads_padding:
            seen = ops.logical_and(seen, ops.equal(queries(segments), keys(segments)))
        if rule.causal:
            seen = ops.logical_and(seen, ops.less_equal(keys(place), queries(place)))
        return ops.logical_and(seen, self.sees(queries(place), keys(place)))

    def _step(self, query: Tensor, keys: Tensor, values: Tensor, position: Tensor) -> Tensor:
        """Decodes one position of every beam: query (batch, heads, beams, depth); each beam has a window of its own."""
        position = ops.cast(position, "int32")
        rows = ops.shape(keys)[3]
        distance = (position - ops.arange(rows, dtype="int32")) % rows  # the window is a ring of rows
        place = position - distance
        seen = ops.logical_and(ops.greater_equal(place, 0), self.sees(position, place))
        added = self.by_distance(query)
        query = ops.expand_dims(ops.swapaxes(query, 1, 2), 3)
        logits = ops.matmul(query, ops.swapaxes(keys, -1, -2))
        if added is not None:
            by_distance, nearest, _ = added
            near = ops.take(by_distance, ops.maximum(nearest - distance, 0), axis=-1)
            logits += ops.expand_dims(ops.swapaxes(near, 1, 2), 3)
        weights = self._weights(logits, ops.reshape(seen, (1, 1, 1, -1)), False)
        return ops.swapaxes(ops.squeeze(ops.matmul(weights, values), 3), 1, 2)


def segment_rule(mask: Any, key: Tensor) -> SegmentMask:
    """Converts a mask to a `SegmentMask`, which attention within a window reads by position.

    Args:
        mask: A `SegmentMask`, returned as it is; a boolean padding mask (batch, 1, key), False in padding; or None if all
            keys are real.
        key: (batch, heads, key, depth), the keys; only their number is read, where the mask is None.

    Raises:
        ValueError: The mask has a row for each query.
    """
    if isinstance(mask, SegmentMask):
        return mask
    if mask is None:
        return SegmentMask(ops.ones((ops.shape(key)[0], ops.shape(key)[2]), dtype="int32"))
    if mask.shape[1] != 1:
        raise ValueError("mask: a (time × time) mask is given to attention within a window. Pass a SegmentMask.")
    return SegmentMask(ops.cast(mask[:, 0], "int32"))
