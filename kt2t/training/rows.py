"""Splits a batch into equal shares of rows, and pads it with rows of weight zero, on all backends."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

Data = tuple[Any, Any, Any]


def count(data: Any) -> Any:
    """Returns the number of rows of a batch: an int if it is known when tracing, else an int32 scalar tensor.

    Args:
        data: A nest of tensors whose first axis is the rows; None values are skipped.
    """
    return ops.shape(next(one for one in keras.tree.flatten(data) if one is not None))[0]


def that_count(sample_weight: Any) -> Any:
    """Returns a boolean mask (batch,) of the rows with a nonzero weight for any output; None if an output has no weights.

    Args:
        sample_weight: A tensor, a nest of tensors by output, or None; axis 0 of each tensor is the batch's rows.
    """
    weights = keras.tree.flatten(sample_weight)
    if not weights or any(one is None for one in weights):
        return None
    found = [ops.any(ops.not_equal(ops.reshape(one, (ops.shape(one)[0], -1)), 0), axis=1) for one in weights]
    return functools.reduce(ops.logical_or, found)


def number_that_count(data: Data) -> Any:
    """Returns the number of rows with a nonzero weight as a float32 scalar; all rows if an output has no weights.

    Args:
        data: The batch's (x, y, sample_weight).
    """
    x, y, sample_weight = data
    found = that_count(sample_weight)
    return ops.cast(count((y, x)), "float32") if found is None else ops.sum(ops.cast(found, "float32"))


def filled(data: Data, multiple: int) -> Data:
    """Pads a batch with copies of its last row, of weight zero, until its number of rows is a multiple of `multiple`.

    Args:
        data: (x, y, sample_weight). Missing weights, of all outputs or of one, become 1 for each row.
        multiple: At least 1. With 1 the batch is returned unchanged.
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
    """Returns the `index`-th of several equal shares of a batch's rows, for example the rows of one replica.

    Args:
        data: The batch, a nest of tensors whose first axis is the rows.
        index: Index of the share, from 0; a number or a scalar tensor.
        count_of_shares: Number of shares; must divide the number of rows.
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
