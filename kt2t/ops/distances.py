"""Edit distance between sequences of ids."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.features import PADDING

Tensor = Any


def edit_distance(first: Tensor, second: Tensor) -> Tensor:
    """Counts the fewest insertions, deletions and replacements that turn one sequence into the other, without padding.

        d(i, j) = min(d(i-1, j) + 1, d(i, j-1) + 1, d(i-1, j-1) + [a_i ≠ b_j])

    Each row of the table is computed at once: the insertions along a row are a running minimum of d(i, j) - j.

    Shapes:
        first (batch, any), second (batch, time) int32 → (batch,) int32

    Source: Levenshtein 1966; the table is Wagner and Fischer 1974.
    """
    second, length = _gathered(second)
    place = ops.expand_dims(ops.arange(ops.shape(second)[1] + 1, dtype="int32"), 0)
    start = ops.broadcast_to(place, (ops.shape(second)[0], ops.shape(place)[1]))

    def row(before: Tensor, ids: Tensor) -> tuple[Tensor, None]:
        ids = ops.expand_dims(ids, 1)
        replaced = before[:, :-1] + ops.cast(ops.not_equal(ids, second), "int32")
        deleted = before + 1
        best = ops.concatenate([deleted[:, :1], ops.minimum(deleted[:, 1:], replaced)], axis=1)
        after = ops.associative_scan(ops.minimum, best - place, axis=1) + place
        return ops.where(ops.equal(ids, PADDING), before, after), None

    last, _ = ops.scan(row, start, ops.transpose(first))
    return ops.squeeze(ops.take_along_axis(last, ops.expand_dims(length, 1), axis=1), 1)


def _gathered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Moves all padding to the end and returns the ids with the number of real ones."""
    real = ops.not_equal(ids, PADDING)
    time = ops.shape(ids)[1]
    order = ops.arange(time, dtype="int32") + time * ops.cast(ops.logical_not(real), "int32")
    return ops.take_along_axis(ids, ops.argsort(order, axis=1), axis=1), ops.sum(ops.cast(real, "int32"), axis=1)
