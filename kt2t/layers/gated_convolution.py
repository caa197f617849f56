"""A convolution over time with a gated activation."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.registry import register

Tensor = Any


@register
class GatedConvolution(DilatedConvolution):
    """A dilated convolution whose output is a hyperbolic tangent times a sigmoid gate.

        y = tanh(W_f * x + b_f) · sigmoid(W_g * x + b_g)

    The kernel is [W_f ; W_g], so both are one product. Padding, examples and decoding are those of `DilatedConvolution`.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        common: The options of `DilatedConvolution`.

    Raises:
        ValueError: See `DilatedConvolution`.

    Source: van den Oord et al. 2016 (WaveNet), section 2.3, equation 2. Departs: there may be biases.
    """

    def __init__(self, filters: int, **common: Any) -> None:
        super().__init__(filters, **common)

    @property
    def kernel_width(self) -> int:
        return 2 * self.filters

    def _combined(self, taps: list[Tensor]) -> Tensor:
        filtered, gate = ops.split(super()._combined(taps), 2, axis=-1)
        return ops.tanh(filtered) * ops.sigmoid(gate)
