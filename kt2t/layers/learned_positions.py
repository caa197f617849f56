"""Positions as rows of a learned table."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.positions import positions_or_places
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector for each position.

        y = x + table[position]

    Positions from `max_length` on read the last row.

    Shapes:
        x (batch, time, hidden_dim), positions (batch or 1, time) int32 or None → (batch, time, hidden_dim)

    Args:
        max_length: Number of rows of the table, in positions.

    Raises:
        ValueError: `max_length` is not positive.

    Source: Gehring et al. 2017, section 3.1; N(0, hidden_dim^-0.5) initialisation as in Tensor2Tensor.
    """

    def __init__(self, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.max_length = positive("max_length", max_length)

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(
            shape=(self.max_length, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=input_shape[-1] ** -0.5),
            name="table",
        )

    def call(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        positions = positions_or_places(x, positions)
        rows = ops.take(self.table, ops.minimum(positions, self.max_length - 1), axis=0)
        return x + ops.cast(rows, x.dtype)

    def compute_output_shape(self, x_shape: tuple[int | None, ...], positions_shape: Any = None) -> Any:
        return x_shape
