"""Cuts a sequence into blocks, each with a window of neighbouring blocks; a table by distance follows the window."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def blocks(x: Tensor, size: Any, axis: int) -> Tensor:
    """Cuts an axis into blocks; zeros fill the last one.

    Args:
        x: A tensor with an axis of positions.
        size: Length of a block, in positions; a number or a scalar tensor.
        axis: The axis of positions, counted from the front.

    Shapes:
        x (…, time, …) → (…, blocks, size, …)
    """
    return _cut(x, size, axis, 0, 0)


def windows(x: Tensor, size: Any, before: int, after: int, axis: int) -> Tensor:
    """Returns for every block the blocks around it; zeros stand for positions outside the sequence.

    Slices are joined instead of gathering positions: the gradient of a gather is slow on a GPU.

    Args:
        x: A tensor with an axis of positions.
        size: Length of a block, in positions; a number or a scalar tensor.
        before: Number of earlier blocks in a window.
        after: Number of later blocks in a window.
        axis: The axis of positions, counted from the front.

    Shapes:
        x (…, time, …) → (…, blocks, (before + 1 + after) · size, …)
    """
    cut = _cut(x, size, axis, before, after)
    count = ops.shape(cut)[axis] - before - after
    outer = (slice(None),) * axis
    parts = [cut[(*outer, slice(first, first + count))] for first in range(before + 1 + after)]
    return ops.concatenate(parts, axis=axis + 1)


def columns_of_distances(x: Tensor, left: int, right: int, before: int, after: int) -> Tensor:
    """Moves a value by distance to the column of the window at that distance.

        y[a, u] = x[a, u - a - before · size + left]

    Column r of x belongs to the key at distance r - left from the query. A query is position a of its block, and u counts
    the positions of its window, as `windows` returns them. Columns at other distances, and more than before · size
    positions before the query, hold no meaningful number.

    Args:
        x: A value for each query of a block and each distance from -left to right.
        left: Largest distance to an earlier key, in positions.
        right: Largest distance to a later key.
        before: Number of earlier blocks in a window.
        after: Number of later blocks in a window.

    Shapes:
        x (…, size, left + 1 + right) → (…, size, (before + 1 + after) · size)

    Source: the skewing of Huang et al. 2018, section 3.4.1, for a window.
    """
    *outer, size = ops.shape(x)[:-1]
    width = (before + 1 + after) * size
    room, later = before * size, (after + 1) * size
    x = x[..., _larger(left - room, 0) : left + 1 + _smaller(right, later)]
    pads = [[0, 0]] * (len(x.shape) - 1) + [[_larger(room - left, 0), _larger(later - right, 0)]]
    flat = ops.reshape(ops.pad(x, pads), (*outer, size * (width + 1)))
    return ops.reshape(flat[..., : size * width], (*outer, size, width))


def block_size(block_length: int, length: Any) -> Any:
    """Returns the length of a block that is not longer than the sequence, and at least 1."""
    return _larger(_smaller(block_length, length), 1)


def _cut(x: Tensor, size: Any, axis: int, before: int, after: int) -> Tensor:
    shape = tuple(ops.shape(x))
    count = (shape[axis] + size - 1) // size
    pads: list[list[Any]] = [[0, 0] for _ in shape]
    pads[axis] = [before * size, (count + after) * size - shape[axis]]
    return ops.reshape(ops.pad(x, pads), (*shape[:axis], before + count + after, size, *shape[axis + 1 :]))


def _larger(one: Any, other: Any) -> Any:
    return max(one, other) if isinstance(one, int) and isinstance(other, int) else ops.maximum(one, other)


def _smaller(one: Any, other: Any) -> Any:
    return min(one, other) if isinstance(one, int) and isinstance(other, int) else ops.minimum(one, other)
