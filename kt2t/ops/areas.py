"""Areas of a sequence or grid: all neighbouring positions up to a size, and what is computed of each.

A grid of `height` rows is laid out row by row along the axis of positions; a sequence is a grid of one row. Areas are ordered
by height, then by width, then by their first position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from keras import ops

Tensor = Any


class Sizes(NamedTuple):
    """The sizes of areas, in positions.

    Attributes:
        max_width: Width of the widest areas.
        max_height: Height of the highest areas.
        height: Number of rows of the grid.
    """

    max_width: int
    max_height: int = 1
    height: int = 1


def totals(x: Tensor, sizes: Sizes) -> Tensor:
    """Sums over each area.

    Shapes:
        x (…, time, depth) → (…, areas, depth)
    """
    return _joined(value for _, _, value in _areas(x, sizes, ops.add))


def means(x: Tensor, sizes: Sizes) -> Tensor:
    """Computes the mean over each area.

    Shapes:
        x (…, time, depth) → (…, areas, depth)
    """
    return _joined(value / (height * width) for height, width, value in _areas(x, sizes, ops.add))


def maxima(x: Tensor, sizes: Sizes) -> Tensor:
    """Computes the largest value in each area, channel by channel.

    Shapes:
        x (…, time, depth) → (…, areas, depth)
    """
    return _joined(value for _, _, value in _areas(x, sizes, ops.maximum))


def deviations(x: Tensor, sizes: Sizes, epsilon: float = 1e-6) -> Tensor:
    """Computes the standard deviation over each area, √(|mean(x²) - mean(x)²| + ε).

    Shapes:
        x (…, time, depth) → (…, areas, depth)
    """
    return ops.sqrt(ops.abs(means(ops.square(x), sizes) - ops.square(means(x, sizes))) + epsilon)


def inside(mask: Tensor, sizes: Sizes) -> Tensor:
    """Tells which areas lie wholly at positions where a mask is true.

    Shapes:
        mask (…, time) boolean → (…, areas) boolean
    """
    found = _joined(value for _, _, value in _areas(ops.expand_dims(mask, -1), sizes, ops.logical_and))
    return ops.squeeze(found, -1)


def heights_and_widths(length: Any, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Returns the height and the width of each area of a sequence of `length` positions.

    Shapes:
        → (areas,) int32, twice
    """
    found = list(_areas(ops.ones((length, 1), dtype="int32"), sizes, ops.minimum))
    return tuple(ops.squeeze(_joined(value * size[axis] for *size, value in found), -1) for axis in (0, 1))


def _areas(x: Tensor, sizes: Sizes, combine: Callable[[Tensor, Tensor], Tensor]) -> Iterator[tuple[int, int, Tensor]]:
    """Yields for each size its height, its width and the combined values (…, areas, depth) of its areas."""
    *outer, length, depth = ops.shape(x)
    grid = ops.reshape(x, (*outer, sizes.height, length // sizes.height, depth))
    tall = grid
    for height in range(1, min(sizes.max_height, sizes.height) + 1):
        if height > 1:
            tall = combine(tall[..., :-1, :, :], grid[..., height - 1 :, :, :])
        wide = tall
        for width in range(1, sizes.max_width + 1):
            if width > 1:
                wide = combine(wide[..., :-1, :], tall[..., width - 1 :, :])
            rows, columns = ops.shape(wide)[-3:-1]
            yield height, width, ops.reshape(wide, (*outer, rows * columns, depth))


def _joined(values: Iterator[Tensor]) -> Tensor:
    return ops.concatenate(list(values), axis=-2)
