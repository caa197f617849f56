"""Leaves positions out."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.registry import register

Tensor = Any


@register
class NoPositions(keras.layers.Layer):
    """Returns its input without positions, for a stack whose attention encodes them, such as `RelativeAttention`.

        y = x

    Shapes:
        x (batch, time, hidden_dim), positions (batch or 1, time) int32 or None → (batch, time, hidden_dim)

    Source: Shaw et al. 2018, section 3; Tensor2Tensor's `pos=None`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        return x

    def compute_output_shape(self, x_shape: tuple[int | None, ...], positions_shape: Any = None) -> Any:
        return x_shape
