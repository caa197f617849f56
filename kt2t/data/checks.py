"""Whether encoded examples are what the features say: every field there, of its type, in its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.errors import DataError
from kt2t.features import Feature, Label, MultiLabel, Tags, Text

Arrays = dict[str, np.ndarray]


def checked_arrays(
    examples: Sequence[Mapping[str, Any]], features: Mapping[str, Feature], what: str, first: int = 0
) -> list[Arrays]:
    """The examples with each field in its feature's dtype.

    Args:
        examples: Encoded examples.
        features: What each field must be.
        what: What an example is called in errors.
        first: The number of the first one.

    Raises:
        DataError: A field is missing or too many, of the wrong type or shape, or has a value out of range; named by example.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for number, example in enumerate(examples, first):
        if example.keys() != features.keys():
            raise DataError(f"{what} {number} has the fields {sorted(example)}; its features are {sorted(features)}.")
    for field, feature in features.items():
        wanted, shape = np.dtype(feature.dtype), feature.shape
        columns[field] = [
            example[field]
            if _is_ready(example[field], wanted, shape)
            else _array(example[field], feature, f"{what} {number}, {field}")
            for number, example in enumerate(examples, first)
        ]
        _check_range(columns[field], feature, f"{what} {{}}, {field}", first)
        if isinstance(feature, Tags):
            _check_same_length(
                columns[field], columns.get("inputs") or [e["inputs"] for e in examples], what, field, first
            )
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _is_ready(value: Any, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == dtype and _fits(value.shape, shape)


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(size in (None, count) for size, count in zip(wanted, found, strict=True))


def _array(value: Any, feature: Feature, where: str) -> np.ndarray:
    array = np.asarray(value)
    wanted = np.dtype(feature.dtype)
    if array.size and not np.can_cast(array.dtype, wanted, "same_kind") and not _is_integer(array, wanted):
        raise DataError(f"{where}: {array.dtype} where {feature!r} takes {wanted}.")
    if not _fits(array.shape, feature.shape):
        raise DataError(f"{where}: shape {array.shape} where {feature!r} takes {feature.shape}.")
    if wanted.kind in "iu" and array.size and array.dtype != wanted:
        limits = np.iinfo(wanted)
        if array.min() < limits.min or array.max() > limits.max:
            raise DataError(f"{where}: {array.min()} to {array.max()} does not fit into {wanted}.")
    return array.astype(wanted, copy=False)


def _is_integer(array: np.ndarray, wanted: np.dtype[Any]) -> bool:
    return wanted.kind in "iu" and array.dtype.kind in "iu"


def _check_range(column: list[np.ndarray], feature: Feature, where: str, first: int) -> None:
    limits = _limits(feature)
    whole = np.concatenate([array.reshape(-1) for array in column]) if column else np.empty(0)
    if not whole.size:
        return
    if limits is None:
        if whole.dtype.kind != "f" or np.isfinite(whole).all():
            return
        bad = next(number for number, array in enumerate(column) if not np.isfinite(array).all())
        raise DataError(f"{where.format(first + bad)}: a value is not finite.")
    low, high = limits
    if whole.min() < low or whole.max() > high:
        bad = next(n for n, array in enumerate(column) if array.size and (array.min() < low or array.max() > high))
        values = column[bad].reshape(-1)
        value = values[(values < low) | (values > high)][0]
        raise DataError(f"{where.format(first + bad)}: {value} is outside {low} to {high} of {feature!r}.")


def _limits(feature: Feature) -> tuple[int, int] | None:
    """Id 0 is padding: neither text nor tags may hold it."""
    if isinstance(feature, Text):
        return 1, feature.vocabulary_size - 1
    if isinstance(feature, Tags):
        return 1, feature.num_classes
    if isinstance(feature, Label):
        return 0, feature.num_classes - 1
    if isinstance(feature, MultiLabel):
        return 0, 1
    return None


def _check_same_length(tags: list[np.ndarray], inputs: list[Any], what: str, field: str, first: int) -> None:
    for number, (row, words) in enumerate(zip(tags, inputs, strict=True), first):
        if len(row) != len(words):
            raise DataError(f"{what} {number}: {len(row)} tags in {field} for {len(words)} inputs.")
