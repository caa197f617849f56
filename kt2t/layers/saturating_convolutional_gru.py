"""A convolutional GRU whose gates can close and open entirely."""

from __future__ import annotations

from typing import Any

from kt2t.layers.convolutional_gru import ConvolutionalGRU
from kt2t.ops.saturation import saturating_sigmoid
from kt2t.registry import register

Tensor = Any


@register
class SaturatingConvolutionalGRU(ConvolutionalGRU):
    """A `ConvolutionalGRU` whose gates are min(1, max(0, 1.2 · σ - 0.1)): state that a gate keeps stays exactly as it is.

    Shapes:
        x (batch, time, filters), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        filters: Width of the state.
        kernel_size: Number of positions that a position is updated from.
        padding: As in `ConvolutionalGRU`.

    Raises:
        ValueError: See `ConvolutionalGRU`.

    Source: Kaiser and Sutskever 2016, section 3, "gate cutoff"; Tensor2Tensor's conv_gru.
    """

    def gate(self, x: Tensor) -> Tensor:
        return saturating_sigmoid(x)
