"""Packs several examples into one row. Lengths decide once which lengths share a row; each epoch draws the examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.errors import RecipeError
from kt2t.features import flat

KINDS = 16_384
WINDOW = 128


class PackedBatches:
    """Composes batches whose rows of `pack` positions hold as many examples as fit.

    Examples of the same lengths are of one kind. Rows are composed of kinds once, from the lengths alone, so every epoch
    has the same number of rows. An epoch shuffles all examples, and each takes the next place of its kind. So an example has
    other neighbours in each epoch, unless it and they are the only ones of their kinds. Then the rows are shuffled.
    Empty rows fill the last batch.

    Args:
        table: (examples, fields) lengths, in tokens.
        kept: The examples that take part; none of them is longer than `pack` in any field.
        tokens: Positions of one field of a batch: rows = tokens // pack.
        pack: Positions of a row.
        multiple: The rows of each batch are a multiple of this.

    Raises:
        ValueError: Fewer rows than `multiple` fit a batch.

    Source: kinds instead of examples are packed in Krell et al. 2021. Departs: of several fields; see `rows_of_kinds`.
    """

    def __init__(self, table: np.ndarray, kept: np.ndarray, tokens: int, pack: int, multiple: int = 1) -> None:
        fit = tokens // pack
        if fit < multiple:
            raise ValueError(
                f"pack: {tokens} tokens hold {fit} rows of {pack} positions, and every batch must be a multiple of "
                f"{multiple} rows. Give at least {multiple * pack} tokens or a shorter pack."
            )
        self._kept = kept
        kinds, self._kind, counts = kinds_of(table[kept], pack)
        composed = list(rows_of_kinds(kinds, counts, pack))
        self._places = np.concatenate([np.tile(row, times) for row, times in composed])
        self._sizes = np.concatenate([np.full(times, len(row)) for row, times in composed])
        self._begins = np.cumsum(self._sizes) - self._sizes
        enough = -(-len(self._sizes) // multiple) * multiple
        self._shape = (pack,) * table.shape[1]
        self.rows = min(fit // multiple * multiple, enough)

    def __len__(self) -> int:
        """The batches of an epoch."""
        return -(-len(self._sizes) // self.rows)

    def epoch(self, chance: np.random.Generator | None) -> list[tuple[np.ndarray, tuple[int, ...]]]:
        """Returns, for each batch of an epoch, the numbers of each row's examples (rows, most), then -1, and the shape."""
        shuffled = np.arange(len(self._kept)) if chance is None else chance.permutation(len(self._kept))
        taken = np.empty(len(self._kept), np.int64)
        by_kind = shuffled[np.argsort(self._kind[shuffled], kind="stable")]
        taken[np.argsort(self._places, kind="stable")] = self._kept[by_kind]
        order = np.arange(len(self._sizes)) if chance is None else chance.permutation(len(self._sizes))
        batches = np.split(order, np.arange(1, len(self)) * self.rows)
        return [(self._examples(taken, batch), self._shape) for batch in batches]

    def _examples(self, taken: np.ndarray, batch: np.ndarray) -> np.ndarray:
        sizes = self._sizes[batch]
        column = np.arange(sizes.max())
        found = np.full((self.rows, len(column)), -1, np.int64)
        inside = column < sizes[:, None]
        found[: len(batch)][inside] = taken[(self._begins[batch][:, None] + column)[inside]]
        return found


def check_packable(features: Mapping[str, Any]) -> None:
    """Refuses features that cannot share a row.

    Raises:
        RecipeError: A field, or a field of a dict of targets, is not packable.
    """
    for field, feature in flat(features).items():
        if not feature.is_packable:
            raise RecipeError(
                f"{field} is {feature!r}, and a row holds only one of these. So examples cannot share a row. Leave pack out.",
                path="train.batch.pack",
            )


def kinds_of(table: np.ndarray, pack: int, most: int = KINDS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups examples by their lengths; if that makes too many kinds, by their lengths rounded up.

    Args:
        table: (examples, fields) lengths, at most `pack`.
        pack: Lengths are rounded up to no more than this.
        most: How many kinds there may be. Packing takes time by kinds, not by examples.

    Returns:
        The lengths of each kind (kinds, fields), the kind of each example, and how many examples each kind has.
    """
    grain = 1
    while True:
        rounded = np.minimum(-(-table // grain) * grain, pack)
        kind = np.zeros(len(table), np.int64)
        for column in rounded.T:  # one field after another, so that no number grows beyond 64 bits
            _, kind = np.unique(kind * (pack + 1) + column, return_inverse=True)
        _, first, counts = np.unique(kind, return_index=True, return_counts=True)
        if len(first) <= most:
            return rounded[first], kind, counts
        grain *= 2


def rows_of_kinds(kinds: np.ndarray, counts: np.ndarray, pack: int) -> Iterator[tuple[np.ndarray, int]]:
    """Composes rows of kinds until no example is left; yields the kinds of a row, and how many rows are like it.

    The next kind of a row is the one that fits and comes nearest to filling the row,

        argmin_k Σ_f (want_f - length_kf)⁴,   want_f = pack · left_f / max_g left_g - what the row has of the field f,

    where left_f is the sum of lengths of a field that are still to be packed. So fields whose sums differ are used up
    together, and no field can be filled further than the ratio of its sum to the largest one. Long examples are taken
    first and short ones close the gaps; the fourth power, rather than the square, keeps the fields of a row in step. A row
    is repeated as long as there are examples for it.

    Args:
        kinds: (kinds, fields) lengths, at most `pack`.
        counts: How many examples each kind has, at least 1.
        pack: Positions of a row.

    Source: the norm-based greedy rule of Panigrahy et al. 2011 for vectors. Departs: its norm is the square's;
        `want` follows what is left, and only the longest kinds that fit are compared.
    """
    order = np.argsort(-kinds.sum(1), kind="stable")
    lengths, counts = kinds[order], counts[order]
    left, gone = (lengths * counts[:, None]).sum(0), 0
    while gone < len(counts):
        if 2 * gone > len(counts):
            order, lengths, counts, gone = order[counts > 0], lengths[counts > 0], counts[counts > 0], 0
        row, uses = np.unique(_row(lengths, counts, pack, pack * left / max(left.max(), 1)), return_counts=True)
        times = int((counts[row] // uses).min())
        counts[row] -= uses * times
        left = left - times * (uses[:, None] * lengths[row]).sum(0)
        gone += int((counts[row] == 0).sum())
        yield np.repeat(order[row], uses), times


def _row(lengths: np.ndarray, counts: np.ndarray, pack: int, want: np.ndarray) -> list[int]:
    """The places, in `lengths` in descending order, of what one row holds."""
    sizes, smallest, counts = -lengths.sum(1), lengths[counts > 0].min(0), counts.copy()
    room = np.full(lengths.shape[1], pack)
    row: list[int] = []
    while (room >= smallest).all():
        begin = int(np.searchsorted(sizes, -room.sum()))
        found = _nearest(lengths, counts, begin, room, want)
        if found is None:
            break
        counts[found] -= 1
        room, want = room - lengths[found], want - lengths[found]
        row.append(found)
    return row


def _nearest(lengths: np.ndarray, counts: np.ndarray, begin: int, room: np.ndarray, want: np.ndarray) -> int | None:
    """The kind nearest to `want` among the first `WINDOW`, or as many more as it takes, that hold one that fits."""
    span = WINDOW
    while begin < len(lengths):
        candidates = lengths[begin : begin + span]
        fits = (candidates <= room).all(1) & (counts[begin : begin + span] > 0)
        if fits.any():
            return begin + int(np.where(fits, ((want - candidates) ** 4).sum(1), np.inf).argmin())
        begin, span = begin + span, 2 * span
    return None
