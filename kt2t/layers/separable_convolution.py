"""A convolution over time in two steps: over time for each channel by itself, then over channels."""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class SeparableConvolution(DilatedConvolution):
    """A dilated convolution whose kernel is the product of a depthwise and a pointwise one; sub-separable with several parts.

        z_(t, c) = Σ_i x_(t + i · dilation - left, c) · D_(i, c),   y_t = z_t · P + b

    With `parts` above 1, the channels are cut into as many runs, and each run of the output reads its own run of z only: P is
    block-diagonal. Padding, examples and decoding are those of `DilatedConvolution`.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        filters: Width of the output.
        kernel_size: Number of taps.
        dilation: Distance in positions from one tap to the next.
        padding: causal or same, as in `DilatedConvolution`.
        use_bias: Whether b is added.
        parts: Number of runs of channels that do not mix.

    Raises:
        ValueError: A size is not positive, `padding` is unknown, or `parts` does not divide `filters` or the input's width.

    Source: Kaiser et al. 2017 (Depthwise Separable Convolutions for Neural Machine Translation), section 2; SliceNet. Parts are
    the negative values of Tensor2Tensor's `separability`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        dilation: int = 1,
        padding: Literal["causal", "same"] = "causal",
        use_bias: bool = True,
        parts: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, dilation, padding, use_bias, **kwargs)
        self.parts = positive("parts", parts)
        check_parts(parts, "filters", filters)

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        self._dim = int(x_shape[-1])
        check_parts(self.parts, "the input's width", self._dim)
        shape = (self.parts, self._dim // self.parts, self.filters // self.parts)
        self.depthwise = self.add_weight(
            shape=(self.kernel_size, self._dim), initializer="glorot_uniform", name="depthwise"
        )
        self.pointwise = self.add_weight(shape=shape, initializer="glorot_uniform", name="pointwise")
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def _combined(self, taps: list[Tensor]) -> Tensor:
        z = sum(tap * self.depthwise[place] for place, tap in enumerate(taps))
        runs = ops.split(z, self.parts, axis=-1)
        y = ops.concatenate([ops.matmul(run, self.pointwise[place]) for place, run in enumerate(runs)], axis=-1)
        return y + self.bias if self.use_bias else y


def check_parts(parts: int, what: str, width: int) -> None:
    """Raises a ValueError unless `parts` divides a width, which the message calls `what`."""
    if width % parts:
        raise ValueError(f"parts: {parts} parts do not divide {what}, {width}. Choose a divisor.")
