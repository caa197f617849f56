"""What concerns several examples packed into one row."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def starts(segments: Tensor) -> Tensor:
    """The first position of every segment, the first of a run of padding included.

    Shapes:
        segments (batch, time) → (batch, time) boolean
    """
    before = ops.pad(segments[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
    return ops.not_equal(segments, before)


def shift_right(x: Tensor, segments: Tensor | None = None) -> Tensor:
    """Moves everything one position later, so that a decoder sees only what came before.

    The first position of every segment gets zeros, which is how a sequence starts: there is no start token.

    Shapes:
        x (batch, time) or (batch, time, dim), segments (batch, time) → as x

    Args:
        x: Ids or hidden states.
        segments: Without them a row is one segment.
    """
    rest = [[0, 0]] * (len(x.shape) - 2)
    shifted = ops.pad(x[:, :-1], [[0, 0], [1, 0], *rest])
    if segments is None:
        return shifted
    inside = ops.logical_not(starts(segments))
    if rest:
        inside = ops.expand_dims(inside, tuple(range(2, len(x.shape))))
    return ops.where(inside, shifted, ops.zeros_like(shifted))
