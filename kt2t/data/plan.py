"""Which examples make up which batch: lengths, seed and epoch in, rows and shapes out. Pure NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kt2t.data.shapes import Group, length_groups
from kt2t.errors import DataError


@dataclass(frozen=True)
class BatchPlan:
    """One batch: which examples, and how long each field is made.

    Attributes:
        indices: (rows,) int64, the record of each row; -1 is a row of weight zero.
        shape: The padded length of each field.
    """

    indices: np.ndarray
    shape: dict[str, int]

    @property
    def rows(self) -> int:
        """The rows of the batch, those of weight zero included."""
        return len(self.indices)


class Plan:
    """The batches of every epoch, as a pure function of the arguments.

    Examples are sorted once into a few groups of similar lengths, each with a fixed shape and number of rows; an epoch draws
    the order within the groups and then the order of all batches. What is left of a group fills up a group of longer
    ones, so that every example occurs exactly once an epoch. Every epoch has the same number of batches.

    Args:
        lengths: For each field of variable length, the length of every example in tokens.
        count: How many examples there are; needed where no field has a length.
        tokens: Positions per batch of the longest field, padding counted: rows = tokens // longest length.
        rows: Examples per batch, instead of `tokens`.
        seed: Decides the order.
        shuffle: Training: a new order each epoch, longer examples than `max_length` or the budget are dropped. Otherwise in
            order of length, and longer examples are cut.
        max_length: In tokens, of every field.
        multiple: The rows of each batch are a multiple of this.
        workers: How many processes share each batch; each has every `workers`-th row.
        worker: Which of them this is, from 0.
        shapes: The most shapes that batches may have.

    Raises:
        ValueError: Not exactly one of `tokens` and `rows`, or a number out of its range.
        DataError: Every example is too long, or there are none.

    Source: none. As Tensor2Tensor's batch_size, `tokens` counts the longest field. Departs: the shapes are fitted to the
        lengths of all fields together, not to fixed boundaries.
    """

    def __init__(
        self,
        lengths: Mapping[str, np.ndarray],
        count: int | None = None,
        tokens: int | None = None,
        rows: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        max_length: int | None = None,
        multiple: int = 1,
        workers: int = 1,
        worker: int = 0,
        shapes: int = 24,
    ) -> None:
        _check_options(lengths, count, tokens, rows, multiple, workers, worker)
        self.fields = tuple(sorted(lengths))
        self.seed = seed
        self.shuffle = shuffle
        self.max_length = max_length
        self._share = slice(worker, None, workers)
        size = len(lengths[self.fields[0]]) if self.fields else count or 0
        table = np.stack([np.asarray(lengths[field], np.int64) for field in self.fields], 1) if self.fields else None
        table = np.zeros((size, 0), np.int64) if table is None else table
        kept = self._limit(table, tokens, multiple * workers)
        longest = np.minimum(table, max_length) if max_length else table
        self.groups = length_groups(longest, kept, tokens, rows, multiple * workers, shapes, 0.5 if shuffle else 0.25)
        self._real = int(longest[kept].sum())
        self._epoch: tuple[int, list[BatchPlan]] | None = None
        self._layout = _batch_counts(self.groups)

    def __len__(self) -> int:
        """The batches of an epoch."""
        return sum(-(-count // group.rows) for group, count in zip(self.groups, self._layout, strict=True))

    @property
    def fill(self) -> float:
        """The share of real tokens among all positions of an epoch, rows of weight zero counted as padding."""
        batches = self.epoch(0, whole=True)
        padded = sum(batch.rows * sum(batch.shape.values()) for batch in batches)
        return self._real / padded if padded else 1.0

    def batch(self, step: int) -> BatchPlan:
        """The batch of a step, counted from 0 over all epochs; without `shuffle` every epoch is the same."""
        epoch, place = divmod(step, len(self))
        epoch = epoch if self.shuffle else 0
        latest = self._epoch  # one read: several threads may ask for different epochs
        if latest is None or latest[0] != epoch:
            latest = self._epoch = (epoch, self.epoch(epoch))
        return latest[1][place]

    def epoch(self, epoch: int, whole: bool = False) -> list[BatchPlan]:
        """The batches of an epoch in their order; with `whole` those of all workers together."""
        chance = np.random.default_rng(np.random.SeedSequence([self.seed, epoch]))
        share = slice(None) if whole else self._share
        batches: list[BatchPlan] = []
        left: list[np.ndarray] = [np.empty(0, np.int64)] * len(self.groups)
        for number, group in enumerate(self.groups):
            members = chance.permutation(group.members) if self.shuffle else group.members
            members = np.concatenate([left[number], members])
            if group.heir is not None:
                keep = len(members) // group.rows * group.rows
                members, rest = members[:keep], members[keep:]
                left[group.heir] = np.concatenate([left[group.heir], rest])
            filled = np.full(-(-len(members) // group.rows) * group.rows, -1, np.int64)
            filled[: len(members)] = members
            shape = dict(zip(self.fields, group.shape, strict=True))
            batches += [BatchPlan(rows[share], shape) for rows in filled.reshape(-1, group.rows)]
        return [batches[place] for place in chance.permutation(len(batches))] if self.shuffle else batches

    def story(self) -> str:
        """What became of examples that are too long, in words."""
        if self.dropped:
            return f"{self.dropped} of {self.count} examples are longer than {self.limit} tokens and are left out"
        return f"{self.cut} of {self.count} examples are longer than {self.limit} tokens and are cut"

    def _limit(self, table: np.ndarray, tokens: int | None, multiple: int) -> np.ndarray:
        """Which examples take part; counts those that are dropped or cut."""
        limits = [
            limit for limit in (self.max_length, tokens // multiple if tokens and self.shuffle else None) if limit
        ]
        self.count, self.dropped, self.cut = len(table), 0, 0
        self.limit = min(limits, default=None)
        everything = np.arange(len(table))
        if not len(table):
            raise DataError("there are no examples to make batches of.")
        if self.limit is None:
            return everything
        long = (table > self.limit).any(1)
        if not self.shuffle:
            self.cut = int(long.sum())
            return everything
        self.dropped = int(long.sum())
        if long.all():
            shortest = int(table.max(1).min())
            raise DataError(
                f"all {self.count} examples are longer than {self.limit} tokens; the shortest has {shortest}. "
                "Raise max_length or the tokens of a batch."
            )
        return everything[~long]


def _batch_counts(groups: list[Group]) -> list[int]:
    """How many examples each group has in an epoch, what it inherits included and what it hands on not."""
    counts = [len(group.members) for group in groups]
    for number, group in enumerate(groups):
        if group.heir is not None:
            rest = counts[number] % group.rows
            counts[number] -= rest
            counts[group.heir] += rest
    return counts


def _check_options(
    lengths: Mapping[str, np.ndarray],
    count: int | None,
    tokens: int | None,
    rows: int | None,
    multiple: int,
    workers: int,
    worker: int,
) -> None:
    if (tokens is None) == (rows is None):
        raise ValueError(f"tokens: {tokens} together with rows {rows}. Give exactly one of them.")
    for name, value in {"tokens": tokens, "rows": rows, "multiple": multiple, "workers": workers}.items():
        if value is not None and value < 1:
            raise ValueError(f"{name}: {value} is not positive.")
    if not 0 <= worker < workers:
        raise ValueError(f"worker: {worker} is not one of {workers}, counted from 0.")
    if not lengths and count is None:
        raise ValueError("count: without lengths the number of examples must be given.")
    if not lengths and tokens is not None:
        raise ValueError(f"tokens: {tokens}, but no field has a length. Give rows instead.")
    if rows is not None and rows < multiple * workers:
        raise ValueError(f"rows: {rows} is fewer than the {multiple * workers} that every batch must be a multiple of.")
    if len({len(values) for values in lengths.values()}) > 1:
        raise ValueError("lengths: the fields have different numbers of examples.")
