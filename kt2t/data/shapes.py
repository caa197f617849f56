"""Batches of examples of similar lengths, one in each row: few shapes, little padding."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

WORTH = 0.0002
SHAPES = 24  # the most shapes of the batches of a split, by default


@dataclass
class Group:
    """A group of examples whose batches have the same shape.

    Attributes:
        shape: The padded length of each field.
        rows: Number of rows of each batch.
        members: The numbers of the examples, in order of length.
        taker: The number of the later group that gets the examples left over when no whole batch can be filled; its shape is
            at least as long in every field.
    """

    shape: tuple[int, ...]
    rows: int
    members: np.ndarray
    taker: int | None = field(default=None)


class PaddedBatches:
    """Composes padded batches, each from one group of similar lengths; every epoch has the same number of batches.

    The examples of a group that do not fill a batch go to a group of longer examples. Empty rows fill the last batches.

    Args:
        groups: See `length_groups`.
    """

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups
        self._counts = _batch_counts(groups)

    def __len__(self) -> int:
        """The batches of an epoch."""
        return sum(-(-count // group.rows) for group, count in zip(self.groups, self._counts, strict=True))

    def epoch(
        self, chance: np.random.Generator | None, chosen: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, tuple[int, ...]]]:
        """Returns, for each batch of an epoch, the number of each row's example (rows,), -1 for an empty row, and the shape.

        Without `chance` in order of length.

        Args:
            chance: Draws the order.
            chosen: (examples,) boolean, the examples that take part, if not all of them. They come again until the epoch has as
                many batches as it has with all.
        """
        if chosen is not None and chance is not None:
            return self._repeated(chance, chosen)
        batches: list[tuple[np.ndarray, tuple[int, ...]]] = []
        left: list[np.ndarray] = [np.empty(0, np.int64)] * len(self.groups)
        for number, group in enumerate(self.groups):
            members = group.members if chance is None else chance.permutation(group.members)
            members = np.concatenate([left[number], members])
            if group.taker is not None:
                keep = len(members) // group.rows * group.rows
                members, rest = members[:keep], members[keep:]
                left[group.taker] = np.concatenate([left[group.taker], rest])
            filled = np.full(-(-len(members) // group.rows) * group.rows, -1, np.int64)
            filled[: len(members)] = members
            batches += [(rows, group.shape) for rows in filled.reshape(-1, group.rows)]
        return batches if chance is None else [batches[place] for place in chance.permutation(len(batches))]

    def _repeated(self, chance: np.random.Generator, chosen: np.ndarray) -> list[tuple[np.ndarray, tuple[int, ...]]]:
        parts = [replace(group, members=group.members[chosen[group.members]], taker=None) for group in self.groups]
        some = PaddedBatches(with_takers([part for part in parts if len(part.members)]))
        found: list[tuple[np.ndarray, tuple[int, ...]]] = []
        while len(found) < len(self):
            found += some.epoch(chance)
        return found[: len(self)]


def length_groups(
    table: np.ndarray, kept: np.ndarray, tokens: int | None, rows: int | None, multiple: int, shapes: int, share: float
) -> list[Group]:
    """Divides examples into at most `shapes` groups with little padding, shortest first.

    Starts with one group and repeatedly makes the cut that saves the most padding: along one field, at one length. A part
    that is too small is not cut off.

    Args:
        table: (examples, fields) lengths.
        kept: The examples that take part.
        tokens: See `Plan`.
        rows: See `Plan`.
        multiple: See `Plan`.
        shapes: Maximum number of groups.
        share: Share of a batch that a part must fill, or it is not cut off.
    """
    points, number, counts = np.unique(table[kept], axis=0, return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    budget = _Budget(tokens, rows, multiple, share)
    parts = [np.arange(len(points))]
    cuts = [_best_cut(points, counts, parts[0], budget)]
    least = WORTH * counts.sum() * points.max(0, initial=1).sum() if points.size else 0.0
    while len(parts) < shapes:
        best = max(range(len(parts)), key=lambda place: cuts[place][0])
        saved, low, high = cuts[best]
        if saved <= least:
            break
        parts[best : best + 1] = [low, high]
        cuts[best : best + 1] = [_best_cut(points, counts, part, budget) for part in (low, high)]
    return _ordered(table, kept, points, number, parts, budget)


@dataclass(frozen=True)
class _Budget:
    tokens: int | None
    rows: int | None
    multiple: int
    share: float

    def rows_for(self, longest: np.ndarray) -> np.ndarray:
        """Rows of a batch whose longest field is this long."""
        rows = np.full_like(longest, self.rows) if self.tokens is None else self.tokens // np.maximum(longest, 1)
        return np.maximum(rows // self.multiple, 1) * self.multiple


def _best_cut(
    points: np.ndarray, counts: np.ndarray, part: np.ndarray, budget: _Budget
) -> tuple[float, np.ndarray, np.ndarray]:
    """The saving in positions of the best cut of a part, and its two sides."""
    best = (0.0, part, part)
    if len(part) < 2:
        return best
    whole = counts[part].sum() * points[part].max(0).sum()
    for axis in range(points.shape[1]):
        order = part[np.argsort(points[part, axis], kind="stable")]
        sizes, values = counts[order], points[order]
        below = np.maximum.accumulate(values)[:-1]
        above = np.maximum.accumulate(values[::-1])[::-1][1:]
        number_below = np.cumsum(sizes)[:-1]
        number_above = sizes.sum() - number_below
        saved = whole - number_below * below.sum(1) - number_above * above.sum(1)
        possible = (
            (values[:-1, axis] != values[1:, axis])
            & (number_below >= budget.share * budget.rows_for(below.max(1)))
            & (number_above >= budget.share * budget.rows_for(above.max(1)))
        )
        saved = np.where(possible, saved, 0)
        place = int(saved.argmax())
        if saved[place] > best[0]:
            best = (float(saved[place]), order[: place + 1], order[place + 1 :])
    return best


def _ordered(
    table: np.ndarray,
    kept: np.ndarray,
    points: np.ndarray,
    number: np.ndarray,
    parts: list[np.ndarray],
    budget: _Budget,
) -> list[Group]:
    belongs = np.empty(len(points), np.int64)
    for place, part in enumerate(parts):
        belongs[part] = place
    groups = []
    for place, part in enumerate(parts):
        members = kept[belongs[number] == place]
        lengths = table[members]
        keys = [lengths[:, axis] for axis in range(lengths.shape[1])]
        members = members[np.lexsort((members, *keys, lengths.sum(1)))]
        shape = points[part].max(0)
        rows = int(budget.rows_for(shape.max(initial=0)[None])[0])
        enough = -(-len(members) // budget.multiple) * budget.multiple
        groups.append(Group(tuple(max(int(size), 1) for size in shape), min(rows, enough), members))
    return with_takers(sorted(groups, key=lambda group: (sum(group.shape), group.shape)))


def with_takers(groups: list[Group]) -> list[Group]:
    """Sets the taker of each group: the first later group that is at least as long in every field."""
    for place, group in enumerate(groups):
        takers = (later for later in range(place + 1, len(groups)) if _covers(groups[later].shape, group.shape))
        group.taker = next(takers, None)
    return groups


def _covers(larger: tuple[int, ...], smaller: tuple[int, ...]) -> bool:
    return all(a >= b for a, b in zip(larger, smaller, strict=True))


def _batch_counts(groups: list[Group]) -> list[int]:
    """How many examples each group has in an epoch, after groups have handed on what does not fill a batch."""
    counts = [len(group.members) for group in groups]
    for number, group in enumerate(groups):
        if group.taker is not None:
            rest = counts[number] % group.rows
            counts[number] -= rest
            counts[group.taker] += rest
    return counts
