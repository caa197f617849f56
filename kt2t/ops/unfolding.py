"""Makes room behind every example of a packed row."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from keras import ops

from kt2t.ops.positions import positions

Tensor = Any


def positions_made(count: Any, ratio: float) -> Any:
    """Returns ⌊ratio · count⌋, for a number or a tensor of whole numbers; the ratio counts in hundredths."""
    exact = Fraction(ratio).limit_denominator(100)
    return count * exact.numerator // exact.denominator


def lengthened(x: Tensor, segments: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Puts zero vectors behind every example, so that n positions become ⌊ratio · n⌋; the examples move apart.

    A row of padding, or what is left of one, stays padding. The rows become ⌊ratio · time⌋ positions wide, whatever they hold.

    Shapes:
        x (batch, time, dim), segments (batch, time) → (batch, width, dim), (batch, width)

    Args:
        x: Vectors.
        segments: Segment ids; 0 marks padding.
        ratio: At least 1; counted in hundredths.
    """
    batch, time = ops.shape(segments)
    width = positions_made(time, ratio)
    place = positions(segments)
    # A position takes one place, and now and then more at the end of its run.
    more = positions_made(place + 1, ratio) - positions_made(place, ratio) - 1
    taken = 1 + ops.where(ops.greater(segments, 0), more, ops.zeros_like(more))
    before = ops.cumsum(taken, axis=1) - taken
    index = ops.expand_dims(ops.arange(time, dtype="int32"), 0)
    moved = ops.take_along_axis(before, index - place, axis=1) + place
    flat = ops.reshape(moved + width * ops.expand_dims(ops.arange(batch, dtype="int32"), 1), (-1,))

    def scattered(values: Tensor) -> Tensor:
        """Adds up (batch, time) at the new places, (batch, width)."""
        return ops.reshape(
            ops.segment_sum(ops.reshape(values, (-1,)), flat, num_segments=batch * width), (batch, width)
        )

    old = scattered(ops.broadcast_to(index, ops.shape(segments)) + 1)  # 0 where there is room
    kept = ops.take_along_axis(x, ops.expand_dims(ops.maximum(old - 1, 0), 2), axis=1)
    # The id of a run is the sum of the differences at the starts of all runs up to it.
    ids = ops.cumsum(scattered(segments - ops.pad(segments[:, :-1], [[0, 0], [1, 0]])), axis=1)
    is_taken = ops.expand_dims(ops.arange(width, dtype="int32"), 0) < ops.sum(taken, axis=1, keepdims=True)
    return ops.where(ops.expand_dims(old > 0, 2), kept, ops.zeros_like(kept)), ops.where(is_taken, ids, 0)
