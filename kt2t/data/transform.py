"""Reads records and applies a problem's `transform` to them; names the record of whatever goes wrong."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.data.checks import are_ready, casts, fits
from kt2t.data.draw import Draw
from kt2t.data.lengths import segment_source
from kt2t.data.records import Arrays, Records, is_nested, nested
from kt2t.errors import DataError, Kt2tError
from kt2t.features import Feature, flat

OF_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)


class Transform:
    """Reads records of one split and transforms them for an epoch.

    Args:
        problem: Has `transform(split, example, draw)`, `stored()` and `features()`.
        split: The split.
        seed: Of the run.
    """

    def __init__(self, problem: Any, split: str, seed: int) -> None:
        self.problem = problem
        self.split = split
        self.seed = seed
        self._stored: Mapping[str, Any] = problem.stored()
        self._fields: dict[str, Feature] = flat(problem.features())
        self._is_nested = is_nested(self._stored) or is_nested(problem.features())

    def __call__(self, records: Records, indices: np.ndarray, epoch: int | None) -> list[Arrays]:
        """The transformed examples of some records, each by flat field.

        Args:
            records: The records of the split.
            indices: The numbers of the records.
            epoch: The epoch to draw for; None if nothing is random.

        Raises:
            DataError: A record is damaged, or `transform` raises an error or does not return what `features` says.
        """
        found = records.read(indices)
        examples = []
        for index, record in zip(indices.tolist(), found, strict=True):
            draw = None if epoch is None else Draw(self.seed, epoch, index)
            try:
                example = nested(record, self._stored) if self._is_nested else record
                example = self.problem.transform(self.split, example, draw)
                if not isinstance(example, Mapping):
                    raise TypeError(f"it returns {example!r:.80}, not a dict of arrays")
                examples.append(flat(example) if self._is_nested else example)
            except Exception as error:
                if is_clear(error) and not isinstance(error, DataError):
                    raise
                raise self._located(records, index, error) from error
        if not _are_ready(examples, self._fields):
            for place, index in enumerate(indices.tolist()):
                try:
                    examples[place] = _checked(examples[place], self._fields)
                except (ValueError, TypeError) as error:
                    raise self._located(records, index, error) from error
        return examples

    def _located(self, records: Records, index: int, error: Exception) -> DataError:
        ((file, number),) = records.places([index])
        name = type(self.problem).__name__
        reason = error if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        return DataError(
            f"{self.split} record {number} of '{records.folder / file}': {name}.transform fails with {reason!s}".rstrip(".")
            + f". Mend the data or {name}; --debug shows the line."
        )


def is_clear(error: Exception) -> bool:
    """Whether an error already says what is wrong: one of ours, or out of memory, disk or other resources."""
    return isinstance(error, Kt2tError | MemoryError) or isinstance(error, OSError) and error.errno in OF_MACHINE


def _are_ready(examples: Sequence[Arrays], fields: Mapping[str, Feature]) -> bool:
    """Whether all examples are what the features say; looks at all of them together, which is fast."""
    for field, feature in fields.items():
        dtype = np.dtype(feature.dtype)
        column: list[Any] = [example.get(field) for example in examples]
        if segment_source(fields, field) != field or not all(are_ready(column, feature)):
            return False
        if feature.limits is not None and not (dtype == np.uint8 and feature.limits == (0, 255)):
            values = np.concatenate([np.ravel(value) for value in column]) if column else np.empty(0)
            if values.size and not (values.min() >= feature.limits[0] and values.max() <= feature.limits[1]):
                return False
    return True


def _checked(example: Mapping[str, Any], fields: Mapping[str, Feature]) -> Arrays:
    """The example with every field as an array of its feature's dtype; other entries stay as they are.

    Raises:
        ValueError: A field is missing, or is not what its feature says.
    """
    checked = dict(example)
    for field, feature in fields.items():
        if field not in example:
            raise ValueError(f"there is no {field}; it returns {', '.join(sorted(example)) or 'nothing'}")
        checked[field] = _array(field, example[field], feature)
    for field in fields:
        source = segment_source(fields, field)
        if source != field:
            positions = int(fields[source].positions(len(checked[source])))
            if len(checked[field]) != positions:
                raise ValueError(f"{field} has {len(checked[field])} values for {positions} positions of {source}")
    return checked


def _array(field: str, value: Any, feature: Feature) -> np.ndarray:
    array, wanted = np.asarray(value), np.dtype(feature.dtype)
    if array.dtype != wanted:
        if not casts(array.dtype, wanted):
            raise ValueError(f"{field} has type {array.dtype} where {feature!r} takes {wanted}")
        array = _in_limits(field, array, feature, np.iinfo(wanted) if wanted.kind in "iu" else None).astype(wanted)
    if not fits(array.shape, feature.shape):
        raise ValueError(f"{field} has shape {array.shape} where {feature!r} takes {feature.shape}")
    return _in_limits(field, array, feature, None)


def _in_limits(field: str, array: np.ndarray, feature: Feature, of_dtype: Any) -> np.ndarray:
    limits = (of_dtype.min, of_dtype.max) if of_dtype is not None else feature.limits
    if limits is None or not array.size or (array.dtype == np.uint8 and limits == (0, 255)):
        return array
    low, high = array.min(), array.max()
    if low < limits[0] or high > limits[1] or low != low:
        raise ValueError(f"{field} holds {low} to {high} where {feature!r} takes {limits[0]} to {limits[1]}")
    return array
