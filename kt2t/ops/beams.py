"""Reordering of beams."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def gather_beams(x: Tensor, index: Tensor) -> Tensor:
    """Picks rows of each source by index, for example to reorder its beams.

    Shapes:
        x (batch, rows, …), index (batch, chosen) int32 → (batch, chosen, …)
    """
    index = ops.reshape(index, (*ops.shape(index), *[1] * (len(x.shape) - 2)))
    return ops.take_along_axis(x, index, axis=1)
