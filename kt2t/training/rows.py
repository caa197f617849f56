"""Splits batches into equal shares of rows, filled up with rows of weight zero. For all backends."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

Data = tuple[Any, Any, Any]


def count(data: Any) -> Any:
    """Counts the rows of a batch: a number if it is known, else an int32 scalar."""
    return ops.shape(next(one for one in keras.tree.flatten(data) if one is not None))[0]


def that_count(sample_weight: Any) -> Any:
    """Finds the rows with a weight above 0 for any output, (batch,) boolean; None if all rows count.

    Args:
        sample_weight: A tensor, a nest of these by output, or None; each has the rows as its first axis.
    """
    weights = keras.tree.flatten(sample_weight)
    if not weights or any(one is None for one in weights):
        return None
    found = [ops.any(ops.not_equal(ops.reshape(one, (ops.shape(one)[0], -1)), 0), axis=1) for one in weights]
    return functools.reduce(ops.logical_or, found)


def number_that_count(data: Data) -> Any:
    """Counts the rows with a weight above 0, a float32 scalar."""
    x, y, sample_weight = data
    found = that_count(sample_weight)
    return ops.cast(count((y, x)), "float32") if found is None else ops.sum(ops.cast(found, "float32"))


def filled(data: Data, multiple: int) -> Data:
    """Pads a batch to a multiple of rows; the added rows repeat the last one with weight zero.

    Args:
        data: (x, y, sample_weight). Where weights are missing, for all outputs or for one, each row weighs one.
        multiple: At least 1.
    """
    if multiple == 1:
        return data
    x, y, weight = data
    rows = count((x, y))
    wanted = (rows + multiple - 1) // multiple * multiple
    weight = keras.tree.map_structure(lambda one: ops.ones((rows,)) if one is None else one, weight)
    places = ops.minimum(ops.arange(wanted, dtype="int32"), rows - 1)
    added = ops.greater_equal(ops.arange(wanted, dtype="int32"), rows)

    def repeated(one: Any) -> Any:
        return ops.take(one, places, axis=0)

    def weightless(one: Any) -> Any:
        one = repeated(one)
        return ops.where(ops.reshape(added, (-1,) + (1,) * (len(one.shape) - 1)), ops.zeros_like(one), one)

    return (_each(repeated, x), _each(repeated, y), _each(weightless, weight))


def share(data: Any, index: Any, count_of_shares: int) -> Any:
    """Takes the rows of one of several equal shares.

    Args:
        index: From 0; a number or a scalar tensor.
        count_of_shares: A divisor of the rows.
    """
    if count_of_shares == 1:
        return data
    size = count(data) // count_of_shares

    def part(one: Any) -> Any:
        one = ops.convert_to_tensor(one)
        return ops.slice(one, (index * size, *[0] * (len(one.shape) - 1)), (size, *ops.shape(one)[1:]))

    return _each(part, data)


def _each(function: Any, data: Any) -> Any:
    return keras.tree.map_structure(lambda one: None if one is None else function(one), data)
