"""Whole batches into equal shares of rows; what is missing is filled up with rows of weight zero. Neutral code."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Data = tuple[Any, Any, Any]


def count(data: Any) -> Any:
    """The rows of a batch: a number where it is known, else an int32 scalar."""
    return ops.shape(next(one for one in keras.tree.flatten(data) if one is not None))[0]


def filled(data: Data, multiple: int) -> Data:
    """The batch with rows added until they are a multiple; the added ones repeat the last and weigh nothing.

    Args:
        data: (x, y, sample_weight); where there are no weights, of all outputs or of one, each row weighs one.
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
    """The rows of one of several equal shares.

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
