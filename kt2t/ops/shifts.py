"""Converts between distances and keys: each query has a row, and rows are shifted by one against each other.

There are `length` queries and as many keys. Column r of a query's row of distances belongs to the key at distance
r - (length - 1) from the query. Shifting rows replaces gathering a vector for each pair: on a GPU the gradient of that
gather took seconds a step.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def keys_of_distances(x: Tensor, length: Any) -> Tensor:
    """Picks for every query and key the value at their distance.

        y[i, j] = x[i, j - i + length - 1]

    Args:
        x: A value for each query and distance.
        length: Number of positions; a number or a scalar tensor.

    Shapes:
        x (batch, heads, length, 2 · length - 1) → (batch, heads, length, length)

    Source: Huang et al. 2018, section 3.4.1, for both directions.
    """
    outer = tuple(ops.shape(x)[:2])
    flat = ops.reshape(ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, 1]]), (*outer, 2 * length * length))
    rows = flat[:, :, length - 1 : 2 * length * length - 1]
    return ops.reshape(rows, (*outer, length, 2 * length - 1))[:, :, :, :length]


def distances_of_keys(x: Tensor, length: Any) -> Tensor:
    """Moves the value of every query and key to the column of their distance; zero where no key has that distance.

        y[i, r] = x[i, r + i - length + 1]

    Args:
        x: A value for each query and key.
        length: Number of positions; a number or a scalar tensor.

    Shapes:
        x (batch, heads, length, length) → (batch, heads, length, 2 · length - 1)
    """
    outer = tuple(ops.shape(x)[:2])
    wide = ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, length - 1]])
    flat = ops.pad(ops.reshape(wide, (*outer, length * (2 * length - 1))), [[0, 0], [0, 0], [length - 1, 1]])
    return ops.reshape(flat, (*outer, length, 2 * length))[:, :, :, : 2 * length - 1]
