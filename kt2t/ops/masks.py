"""Boolean attention masks (True = may attend), and how they combine.

Every mask is broadcastable to (batch, query, key); attention inserts the axis of heads. A mask is made from segments
and lengths, never from ids or magnitudes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keras import ops

Tensor = Any


@dataclass(frozen=True, eq=False)
class SegmentMask:
    """The mask of one sequence, stored as a rule; it becomes a tensor only when an attention layer asks for one.

    An attention that looks at a few neighbours reads `segments` and never needs the (time × time) tensor.

    Attributes:
        segments: (batch, time) int32.
        causal: Whether a position may attend only to itself and earlier positions.
        front: Number of memory positions in front of the sequence; 0 for none. The first one begins every example of the
            row: it attends only to itself, and every later position may attend to it.
        full_front: Whether the positions in front may also attend to later positions in front.
        reads_padding: Whether padding may attend to real positions. Each row must then hold one example.
        shared: Whether all layers use the same tensor; they must then be in the same graph.
    """

    segments: Tensor
    causal: bool = False
    front: Any = 0
    full_front: bool = False
    reads_padding: bool = False
    shared: bool = True
    _made: list[Tensor] = field(default_factory=list, init=False, repr=False)

    def dense(self) -> Tensor:
        """Computes the mask as a tensor (batch, query or 1, key) boolean."""
        if not self.shared:
            return self._dense()
        if not self._made:
            self._made.append(self._dense())
        return self._made[0]

    def _dense(self) -> Tensor:
        if self.reads_padding:
            return padding(self.segments)
        length, same = ops.shape(self.segments)[1], same_segment(self.segments, self.segments)
        if not self.causal:
            return same
        if isinstance(self.front, int) and self.front == 0:
            return ops.logical_and(causal(length), same)
        if self.full_front:
            return ops.logical_and(prefix(self.front, length), same)
        is_start = ops.expand_dims(ops.equal(ops.arange(length, dtype="int32"), 0), (0, 1))
        return ops.logical_and(causal(length), ops.logical_or(same, is_start))


def padding(segments: Tensor) -> Tensor:
    """Makes a mask of the keys that are not padding.

    Shapes:
        segments (batch, key) → (batch, 1, key)
    """
    return ops.expand_dims(ops.greater(segments, 0), 1)


def causal(query_length: Any, key_length: Any = None, offset: Any = 0) -> Tensor:
    """Makes a causal mask: each query may attend to keys at or before its own position.

    Args:
        query_length: In positions; a number or a scalar tensor.
        key_length: The same as the queries' unless given.
        offset: Position of the first query among the keys, such as the step of cached decoding.

    Shapes:
        → (1, query, key)
    """
    queries, keys = _positions(query_length, key_length, offset)
    return ops.less_equal(keys, queries)


def window(query_length: Any, left: int | None, right: int | None, key_length: Any = None, offset: Any = 0) -> Tensor:
    """Makes a mask of the keys from `left` positions before each query to `right` after it; None sets no limit.

    Args:
        query_length: In positions; a number or a scalar tensor.
        left: In positions; 0 excludes every earlier key.
        right: In positions; 0 excludes every later key.
        key_length: The same as the queries' unless given.
        offset: Position of the first query among the keys.

    Shapes:
        → (1, query, key)
    """
    queries, keys = _positions(query_length, key_length, offset)
    distance = keys - queries
    inside = ops.ones_like(distance, dtype="bool")
    if left is not None:
        inside = ops.logical_and(inside, ops.greater_equal(distance, -left))
    if right is not None:
        inside = ops.logical_and(inside, ops.less_equal(distance, right))
    return inside


def same_segment(query_segments: Tensor, key_segments: Tensor) -> Tensor:
    """Makes a mask of the keys in the same segment as the query; padding neither attends nor is attended to.

    Shapes:
        query_segments (batch, query), key_segments (batch, key) → (batch, query, key)
    """
    queries, keys = ops.expand_dims(query_segments, 2), ops.expand_dims(key_segments, 1)
    return ops.logical_and(ops.equal(queries, keys), ops.greater(keys, 0))


def prefix(lengths: Tensor, query_length: Any, key_length: Any = None, offset: Any = 0) -> Tensor:
    """Makes a causal mask in which every query may also attend to the whole prefix of its row.

    Args:
        lengths: (batch,) int32, the length of each row's prefix, which every query may attend to.
        query_length: In positions; a number or a scalar tensor.
        key_length: The same as the queries' unless given.
        offset: Position of the first query among the keys.

    Shapes:
        → (batch, query, key)
    """
    queries, keys = _positions(query_length, key_length, offset)
    seen_by_all = ops.less(keys, ops.reshape(ops.cast(lengths, "int32"), (-1, 1, 1)))
    return ops.logical_or(ops.less_equal(keys, queries), seen_by_all)


def both(*masks: Tensor | None) -> Tensor | None:
    """Combines masks by a logical and. A mask that is None allows everything; returns None if all masks are None."""
    allowed = None
    for mask in masks:
        if mask is not None:
            allowed = mask if allowed is None else ops.logical_and(allowed, mask)
    return allowed


def _positions(query_length: Any, key_length: Any, offset: Any) -> tuple[Tensor, Tensor]:
    queries = ops.arange(query_length, dtype="int32") + ops.cast(offset, "int32")
    keys = ops.arange(query_length if key_length is None else key_length, dtype="int32")
    return ops.expand_dims(queries, (0, 2)), ops.expand_dims(keys, (0, 1))
