"""Whether encoded examples are what the features say: every field there, of its type, in its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.errors import DataError
from kt2t.features import Feature, Label, MultiLabel, Tags, Text


def checked_columns(
    examples: Sequence[Mapping[str, Any]], features: Mapping[str, Feature], what: str, first: int = 0
) -> dict[str, list[np.ndarray]]:
    """Of each field the arrays of all examples, in its feature's dtype.

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
        column = [example[field] for example in examples]
        columns[field] = [
            value if ready else _array(value, feature, f"{what} {number}, {field}")
            for number, (value, ready) in enumerate(zip(column, _are_ready(column, feature), strict=True), first)
        ]
        _check_range(columns[field], feature, f"{what} {{}}, {field}", first)
        if isinstance(feature, Tags):
            _check_same_length(
                columns[field], columns.get("inputs") or [e["inputs"] for e in examples], what, field, first
            )
    return columns


def _are_ready(column: Sequence[Any], feature: Feature) -> list[bool]:
    """Whether each value is an array of the feature's dtype and shape."""
    dtype, rank, any_size = np.dtype(feature.dtype), len(feature.shape), set(feature.shape) <= {None}
    return [
        isinstance(value, np.ndarray)
        and value.dtype == dtype
        and (value.ndim == rank if any_size else _fits(value.shape, feature.shape))
        for value in column
    ]


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
    flat = column if len(feature.shape) == 1 else [array.reshape(-1) for array in column]
    whole = np.concatenate(flat) if flat else np.empty(0)
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
