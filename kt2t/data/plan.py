"""Decides which examples make up which batch, from lengths, seed and epoch. Pure NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kt2t.data.buckets import bucket_groups, geometric_buckets
from kt2t.data.packing import PackedBatches
from kt2t.data.shapes import SHAPES, PaddedBatches, length_groups
from kt2t.errors import DataError

_NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class BatchPlan:
    """The examples of one batch, and the padded length of each field.

    Attributes:
        indices: (rows,) int64, the record of each row; -1 is a row of weight zero. Packed (rows, most): the records of each
            row, then -1.
        shape: The padded length of each field, in positions.
    """

    indices: np.ndarray
    shape: dict[str, int]

    @property
    def rows(self) -> int:
        """Number of rows of the batch, including rows of weight zero."""
        return len(self.indices)


class Plan:
    """Computes the batches of every epoch; the same arguments always give the same batches.

    Without `limits`, every example occurs exactly once an epoch. Every epoch has the same number of batches. Padded:
    examples are sorted once into a few groups of similar lengths, each with a fixed shape and number of rows; an epoch
    draws the order within the groups and then the order of all batches. Packed: several examples share a row, see
    `PackedBatches`.

    Args:
        lengths: For each field of variable length, the length of every example in positions (tokens, for text).
        count: How many examples there are; needed where no field has a length.
        tokens: Positions per batch of the longest field, padding counted: rows = tokens // longest length.
        rows: Examples per batch, instead of `tokens`.
        seed: Decides the order.
        shuffle: For training: a new order each epoch; examples longer than `max_length` or the budget are dropped. Otherwise
            batches are in order of length, and longer examples are cut.
        max_length: The most positions of every field, or of each named field.
        multiple: The rows of each batch are a multiple of this.
        shapes: The most shapes that batches may have.
        pack: In training, positions of a row that several examples share, in every field; rows = tokens // pack. Longer
            examples are dropped.
        bucket_step: Groups examples by the length of the longest field as Tensor2Tensor does (see `geometric_buckets`), each
            boundary this factor above the one before, such as 1.1; each of the `multiple` shares then has tokens // multiple
            positions.
        limits: Returns the most positions of each named field in an epoch, for a curriculum; None where it limits nothing. An
            epoch has as many batches with limits as without; shorter examples then come several times.

    Raises:
        ValueError: Not exactly one of `tokens` and `rows`, a number out of its range, or `pack` without `tokens` or
            `shuffle`.
        DataError: Every example is too long, or there are none.

    Source: none. As Tensor2Tensor's batch_size, `tokens` counts the longest field. Departs: the shapes are fitted to the
        lengths of all fields together, not to fixed boundaries, unless `bucket_step`.
    """

    def __init__(
        self,
        lengths: Mapping[str, np.ndarray],
        count: int | None = None,
        tokens: int | None = None,
        rows: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        max_length: int | Mapping[str, int] | None = None,
        multiple: int = 1,
        shapes: int = SHAPES,
        pack: int | None = None,
        bucket_step: float | None = None,
        limits: Callable[[int], Mapping[str, int] | None] | None = None,
    ) -> None:
        _check_options(lengths, count, tokens, rows, multiple)
        _check_pack(pack, tokens, shuffle)
        if bucket_step is not None and (tokens is None or pack is not None):
            raise ValueError(
                f"bucket_step: {bucket_step} is for padded batches of so many tokens. Give tokens, without pack."
            )
        self.fields = tuple(sorted(lengths))
        self.seed = seed
        self.shuffle = shuffle
        self.max_length = max_length
        size = len(lengths[self.fields[0]]) if self.fields else count or 0
        table = np.stack([np.asarray(lengths[field], np.int64) for field in self.fields], 1) if self.fields else None
        table = np.zeros((size, 0), np.int64) if table is None else table
        bounds = max_length if isinstance(max_length, Mapping) else dict.fromkeys(self.fields, max_length)
        kept = self._limit(table, bounds, pack or (tokens // multiple if tokens else None))
        most = np.array([bounds.get(field) or _NO_LIMIT for field in self.fields], np.int64)
        longest = np.minimum(table, most)
        self._table, self._kept, self._limits = table, kept, limits if shuffle else None
        self._real = int(longest[kept].sum())
        self._epoch: tuple[int, list[BatchPlan]] | None = None
        self._batches: PackedBatches | PaddedBatches
        self.pack = pack
        if pack and tokens:
            self._batches = PackedBatches(table, kept, tokens, pack, multiple)
        elif bucket_step and tokens:
            is_limited = most.max() < _NO_LIMIT
            longest_of_all = int(most.max() if is_limited else longest[kept].max())
            buckets = geometric_buckets(tokens // multiple, longest_of_all, step=bucket_step, multiple=multiple)
            self._batches = PaddedBatches(bucket_groups(longest, kept, buckets, multiple))
        else:
            share = 0.5 if shuffle else 0.25
            self._batches = PaddedBatches(length_groups(longest, kept, tokens, rows, multiple, shapes, share))

    def __len__(self) -> int:
        """The batches of an epoch."""
        return len(self._batches)

    @property
    def fill(self) -> float:
        """Computes the share of real tokens among all positions of an epoch: of all fields, rows of weight zero included.

        Packed, every field has as many positions: where the fields' sums differ, their mean over the largest is the most.
        """
        batches = self._composed(0, None)
        padded = sum(batch.rows * sum(batch.shape.values()) for batch in batches)
        return self._real / padded if padded else 1.0

    def batch(self, step: int) -> BatchPlan:
        """Returns the batch of a step, counted from 0 over all epochs; without `shuffle` every epoch is the same."""
        epoch, place = divmod(step, len(self))
        epoch = epoch if self.shuffle else 0
        latest = self._epoch  # one read: several threads may ask for different epochs
        if latest is None or latest[0] != epoch:
            latest = self._epoch = (epoch, self.epoch(epoch))
        return latest[1][place]

    def epoch(self, epoch: int) -> list[BatchPlan]:
        """Yields the batches of an epoch in order."""
        return self._composed(epoch, self._limits and self._limits(epoch))

    def _composed(self, epoch: int, limits: Mapping[str, int] | None) -> list[BatchPlan]:
        """Composes the batches of an epoch, with the examples within the limits, if there are any."""
        chance = np.random.default_rng(np.random.SeedSequence([self.seed, epoch])) if self.shuffle else None
        if limits is None or isinstance(self._batches, PackedBatches):
            found = self._batches.epoch(chance)
        else:
            most = np.array([limits.get(field, _NO_LIMIT) for field in self.fields], np.int64)
            chosen: np.ndarray = np.all(self._table <= most, axis=1)
            if not chosen[self._kept].any():
                raise DataError(
                    f"no example is as short as epoch {epoch} of the curriculum wants: {dict(limits)} tokens."
                )
            found = self._batches.epoch(chance, chosen)
        return [BatchPlan(indices, dict(zip(self.fields, shape, strict=True))) for indices, shape in found]

    def summary(self) -> str:
        """Says how many examples are too long, and whether they are dropped or cut."""
        count, verb = (self.dropped, "left out") if self.dropped else (self.cut, "cut")
        return f"{count} of {self.count} examples are longer than {self.limit} and are {verb}"

    def packing_summary(self) -> str:
        """Says how many examples share how many rows, and how full these are."""
        found = self.epoch(0)
        rows = sum(int((batch.indices >= 0).any(-1).sum()) for batch in found)
        length = max(found[0].shape.values())
        return (
            f"{self.count - self.dropped} examples in {rows} rows of {length} positions, {self.fill:.1%} of them filled"
        )

    def _limit(self, table: np.ndarray, limits: Mapping[str, int | None], room: int | None) -> np.ndarray:
        """Returns the examples that take part, in training only those that fit the `room`; counts the dropped or cut ones."""
        rooms = dict.fromkeys(self.fields, room if self.shuffle else None)
        most = {
            field: min((limit for limit in (limits.get(field), rooms[field]) if limit), default=None)
            for field in self.fields
        }
        self.count, self.dropped, self.cut = len(table), 0, 0
        self.limit = _in_words(most)
        everything = np.arange(len(table))
        if not len(table):
            raise DataError("there are no examples to make batches of.")
        long = (table > np.array([most[field] or _NO_LIMIT for field in self.fields], np.int64)).any(1)
        if not self.shuffle:
            self.cut = int(long.sum())
            return everything
        self.dropped = int(long.sum())
        if long.all():
            shortest = int(table.max(1).min())
            raise DataError(
                f"all {self.count} examples are longer than {self.limit}; the shortest has {shortest}. "
                "Raise max_length, pack or the tokens of a batch."
            )
        return everything[~long]


def _in_words(limits: Mapping[str, int | None]) -> str:
    """`256 tokens` for one limit of all fields, else `256 tokens of inputs or 64 of targets`."""
    values = set(limits.values())
    if len(values) == 1:
        return f"{values.pop()} tokens"
    limited = [(field, limit) for field, limit in limits.items() if limit]
    words = [f"{limit} {'of' if place else 'tokens of'} {field}" for place, (field, limit) in enumerate(limited)]
    return " or ".join(words)


def _check_options(
    lengths: Mapping[str, np.ndarray],
    count: int | None,
    tokens: int | None,
    rows: int | None,
    multiple: int,
) -> None:
    if (tokens is None) == (rows is None):
        raise ValueError(f"tokens: {tokens} together with rows {rows}. Give exactly one of them.")
    for name, value in {"tokens": tokens, "rows": rows, "multiple": multiple}.items():
        if value is not None and value < 1:
            raise ValueError(f"{name}: {value} is not positive.")
    if not lengths and count is None:
        raise ValueError("count: without lengths the number of examples must be given.")
    if not lengths and tokens is not None:
        raise ValueError(f"tokens: {tokens}, but no field has a length. Give rows instead.")
    if rows is not None and rows < multiple:
        raise ValueError(f"rows: {rows} is fewer than the {multiple} that every batch must be a multiple of.")
    if len({len(values) for values in lengths.values()}) > 1:
        raise ValueError("lengths: the fields have different numbers of examples.")


def _check_pack(pack: int | None, tokens: int | None, shuffle: bool) -> None:
    if pack is None:
        return
    if pack < 1:
        raise ValueError(f"pack: {pack} is not positive.")
    if tokens is None:
        raise ValueError(f"pack: {pack} positions a row, but no tokens. Give tokens instead of rows.")
    if pack > tokens:
        raise ValueError(f"pack: {pack} positions a row are more than the {tokens} tokens of a batch.")
    if not shuffle:
        raise ValueError(f"pack: {pack}, but only training is packed. Leave it out.")
