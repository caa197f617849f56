"""Positions as fixed sinusoids."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kt2t.ops.positions import positions_or_places, sinusoids
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class SinusoidalPositions(keras.layers.Layer):
    """Adds fixed sines and cosines of the position to each vector.

        y = x + s(position)

    Nothing is learned, so sequences may have any length. The sum is computed in float32.

    Shapes:
        x (batch, time, hidden_dim), positions (batch or 1, time) int32 or None → (batch, time, hidden_dim)

    Args:
        layout: concatenated as in Tensor2Tensor, [sines, cosines], or interleaved as in the paper.
        min_timescale: Timescale of the fastest sinusoid, in positions.
        max_timescale: Timescale of the slowest sinusoid, in positions.
        signal_dim: Number of channels, the first ones, that get a signal; all of them unless given.

    Raises:
        ValueError: An unknown layout, timescales that are not positive and rising, or a `signal_dim` that is not positive.

    Source: Vaswani et al. 2017, section 3.5; a signal for the first channels only: Tensor2Tensor's SliceNet.
    """

    def __init__(
        self,
        layout: Literal["concatenated", "interleaved"] = "concatenated",
        min_timescale: float = 1.0,
        max_timescale: float = 1.0e4,
        signal_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if layout not in ("concatenated", "interleaved"):
            raise ValueError(f"layout: {layout!r} is neither concatenated nor interleaved.")
        if not 0 < min_timescale < max_timescale:
            raise ValueError(f"min_timescale: {min_timescale} is not between 0 and max_timescale {max_timescale}.")
        self.layout = layout
        self.min_timescale = min_timescale
        self.max_timescale = max_timescale
        self.signal_dim = None if signal_dim is None else positive("signal_dim", signal_dim)
        self.built = True

    def call(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        positions = positions_or_places(x, positions)
        width = min(self.signal_dim or x.shape[-1], x.shape[-1])
        signal = sinusoids(positions, width, self.layout, self.min_timescale, self.max_timescale)
        signal = ops.pad(signal, [[0, 0], [0, 0], [0, x.shape[-1] - width]])
        return ops.cast(ops.cast(x, "float32") + signal, self.compute_dtype)

    def compute_output_shape(self, x_shape: tuple[int | None, ...], positions_shape: Any = None) -> Any:
        return x_shape
