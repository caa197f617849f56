"""Edit distance between sequences of ids."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.features import PADDING

Tensor = Any


def edit_distance(first: Tensor, second: Tensor) -> Tensor:
    """Counts the fewest insertions, deletions and replacements that turn one sequence into the other; ignores padding.

        d(i, j) = min(d(i-1, j) + 1, d(i, j-1) + 1, d(i-1, j-1) + [a_i ≠ b_j])

    The table is computed along its diagonals i + j = k, whose cells do not depend on each other. The graph is small, and the
    same for all lengths.

    Shapes:
        first (batch, any), second (batch, time) int32 → (batch,) int32

    Source: Levenshtein 1966; the table is Wagner and Fischer 1974.
    """
    first, rows = _gathered(first)
    second, columns = _gathered(second)
    i = ops.expand_dims(ops.arange(ops.shape(first)[1] + 1, dtype="int32"), 0)
    start = ops.zeros_like(first[:, :1]) + i
    letters = ops.pad(first, [[0, 0], [1, 0]])  # a_i at place i
    others = ops.pad(second, [[0, 0], [1, 0]])
    last = ops.shape(others)[1] - 1

    def diagonal(k: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        found, before, previous = state  # the distances that are known; diagonals k - 2 and k - 1
        there = ops.take(others, ops.clip(k - i[0], 0, last), axis=1)
        replaced = _moved(before) + ops.cast(ops.not_equal(letters, there), "int32")
        cells = ops.minimum(ops.minimum(_moved(previous), previous) + 1, replaced)
        cells = ops.where(ops.logical_or(ops.equal(i, 0), ops.equal(i, k)), k, cells)
        end = ops.squeeze(ops.take_along_axis(cells, ops.expand_dims(rows, 1), axis=1), 1)
        return ops.where(ops.equal(rows + columns, k), end, found), previous, cells

    found = ops.zeros_like(rows)
    total = ops.shape(first)[1] + ops.shape(second)[1]
    return ops.fori_loop(1, total + 1, diagonal, (found, start, ops.zeros_like(start)))[0]


def _moved(cells: Tensor) -> Tensor:
    """The cells (batch, i), each at the place of the next one."""
    return ops.pad(cells[:, :-1], [[0, 0], [1, 0]])


def _gathered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Moves all padding to the end and returns the ids with the number of real ones."""
    real = ops.not_equal(ids, PADDING)
    time = ops.shape(ids)[1]
    order = ops.arange(time, dtype="int32") + time * ops.cast(ops.logical_not(real), "int32")
    return ops.take_along_axis(ids, ops.argsort(order, axis=1), axis=1), ops.sum(ops.cast(real, "int32"), axis=1)
