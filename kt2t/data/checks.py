"""Checks encoded examples against the features: every field present, of its type, shape and range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.errors import DataError
from kt2t.features import Feature, flat


def checked_columns(
    examples: Sequence[Mapping[str, Any]], features: Mapping[str, Any], what: str, first: int = 0
) -> dict[str, list[np.ndarray]]:
    """Returns the arrays of all examples by field, each in its feature's dtype.

    Args:
        examples: Encoded examples. A dict of targets may be nested, `{"targets": {"tags": …}}`, or flat.
        features: By field, nested or flat. The columns are flat: `targets.tags`.
        what: What an example is called in errors.
        first: The number of the first example.

    Raises:
        DataError: A field is missing or unknown, has the wrong type, shape or length, or holds a value out of range. Names
            the example.
    """
    features = flat(features)
    examples = [example if example.keys() == features.keys() else flat(example) for example in examples]
    for number, example in enumerate(examples, first):
        if example.keys() != features.keys():
            raise DataError(f"{what} {number} has the fields {sorted(example)}; its features are {sorted(features)}.")
    columns: dict[str, list[np.ndarray]] = {}
    for field, feature in features.items():
        column = [example[field] for example in examples]
        columns[field] = [
            value if ready else _array(value, feature, f"{what} {number}, {field}")
            for number, (value, ready) in enumerate(zip(column, are_ready(column, feature), strict=True), first)
        ]
        _check_range(columns[field], feature, f"{what} {{}}, {field}", first)
    for field, feature in features.items():
        other = feature.shares_segments_with
        if other is not None and other not in features:
            raise DataError(
                f"{field} needs the field {other!r}, whose positions it shares; there are {sorted(features)}."
            )
        if other is not None and not features[other].is_storage:
            _check_same_length(columns, field, other, what, first)
    return columns


def are_ready(column: Sequence[Any], feature: Feature) -> list[bool]:
    """Whether each value is an array of the feature's dtype and shape."""
    dtype, rank, any_size = np.dtype(feature.dtype), len(feature.shape), set(feature.shape) <= {None}
    return [
        isinstance(value, np.ndarray)
        and value.dtype == dtype
        and (value.ndim == rank if any_size else fits(value.shape, feature.shape))
        for value in column
    ]


def fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether an array's shape is a feature's, in which None stands for any size."""
    return len(found) == len(wanted) and all(size in (None, count) for size, count in zip(wanted, found, strict=True))


def casts(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether values of one type may become those of another: never floats to integers, integers to any others."""
    return np.can_cast(found, wanted, "same_kind") or (wanted.kind in "iu" and found.kind in "iu")


def _array(value: Any, feature: Feature, where: str) -> np.ndarray:
    array = np.asarray(value)
    wanted = np.dtype(feature.dtype)
    if array.size and not casts(array.dtype, wanted):
        raise DataError(f"{where}: {array.dtype} where {feature!r} takes {wanted}.")
    if not fits(array.shape, feature.shape):
        raise DataError(f"{where}: shape {array.shape} where {feature!r} takes {feature.shape}.")
    if wanted.kind in "iu" and array.size and array.dtype != wanted:
        limits = np.iinfo(wanted)
        if array.min() < limits.min or array.max() > limits.max:
            raise DataError(f"{where}: {array.min()} to {array.max()} does not fit into {wanted}.")
    return array.astype(wanted, copy=False)


def _check_range(column: list[np.ndarray], feature: Feature, where: str, first: int) -> None:
    limits, dtype = feature.limits, np.dtype(feature.dtype)
    if limits is not None and dtype.kind in "iu" and limits == (np.iinfo(dtype).min, np.iinfo(dtype).max):
        return
    values = column if len(feature.shape) == 1 else [array.reshape(-1) for array in column]
    whole = np.concatenate(values) if values else np.empty(0)
    if not whole.size:
        return
    if limits is None:
        if whole.dtype.kind != "f" or np.isfinite(whole).all():
            return
        bad = next(number for number, array in enumerate(column) if not np.isfinite(array).all())
        raise DataError(f"{where.format(first + bad)}: a value is not finite.")
    low, high = limits
    # Written so that a value that is not a number counts as outside.
    if not (whole.min() >= low and whole.max() <= high):
        outside = (number for number, array in enumerate(column) if not ((array >= low) & (array <= high)).all())
        bad = next(outside)
        value = column[bad][~((column[bad] >= low) & (column[bad] <= high))][0]
        raise DataError(f"{where.format(first + bad)}: {value} is outside {low} to {high} of {feature!r}.")


def _check_same_length(columns: Mapping[str, list[np.ndarray]], field: str, other: str, what: str, first: int) -> None:
    for number, (row, leader) in enumerate(zip(columns[field], columns[other], strict=True), first):
        if len(row) != len(leader):
            raise DataError(
                f"{what} {number}: {field} has {len(row)} values for the {len(leader)} of {other}. Give one for each."
            )
