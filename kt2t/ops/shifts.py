"""From distances to keys and back: a row for each query, whose columns are shifted by one from row to row.

With `length` queries and as many keys, column r of a row of distances is the key that stands r - (length - 1) behind the
query. Nothing is gathered, so that the way back is as cheap as the way there.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def keys_of_distances(x: Tensor, length: Any) -> Tensor:
    """What stands at the distance of every key.

        y[i, j] = x[i, j - i + length - 1]

    Args:
        x: By distance.
        length: Of the sequence; a number or a scalar tensor.

    Shapes:
        x (batch, heads, length, 2 · length - 1) → (batch, heads, length, length)

    Source: Huang et al. 2018, section 3.4.1, for both directions.
    """
    outer = tuple(ops.shape(x)[:2])
    flat = ops.reshape(ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, 1]]), (*outer, 2 * length * length))
    rows = flat[:, :, length - 1 : 2 * length * length - 1]
    return ops.reshape(rows, (*outer, length, 2 * length - 1))[:, :, :, :length]


def distances_of_keys(x: Tensor, length: Any) -> Tensor:
    """The way back: every key at its distance, zeros where a distance has no key.

        y[i, r] = x[i, r + i - length + 1]

    Args:
        x: By key.
        length: Of the sequence; a number or a scalar tensor.

    Shapes:
        x (batch, heads, length, length) → (batch, heads, length, 2 · length - 1)
    """
    outer = tuple(ops.shape(x)[:2])
    wide = ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, length - 1]])
    flat = ops.pad(ops.reshape(wide, (*outer, length * (2 * length - 1))), [[0, 0], [0, 0], [length - 1, 1]])
    return ops.reshape(flat, (*outer, length, 2 * length))[:, :, :, : 2 * length - 1]
