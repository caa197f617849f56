"""A convolution over time in groups of channels, which a matrix then mixes."""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.separable_convolution import check_parts
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class GroupedConvolution(DilatedConvolution):
    """A dilated convolution of each run of channels by itself; a matrix mixes what they give.

        z_t = [Σ_i x_(t + i · dilation - left, run g) · W_(g, i) for every run g],   y_t = z_t · M + b

    Padding, examples and decoding are those of `DilatedConvolution`.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        filters: Width of the output.
        kernel_size: Number of taps.
        dilation: Distance in positions from one tap to the next.
        padding: causal or same, as in `DilatedConvolution`.
        use_bias: Whether b is added.
        parts: Number of runs of channels.

    Raises:
        ValueError: A size is not positive, `padding` is unknown, or `parts` does not divide `filters` or the input's width.

    Source: Kaiser et al. 2017 (SliceNet), section 2. Parts are the positive values of Tensor2Tensor's
    `separability`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        dilation: int = 1,
        padding: Literal["causal", "same"] = "causal",
        use_bias: bool = True,
        parts: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, dilation, padding, use_bias, **kwargs)
        self.parts = positive("parts", parts)
        check_parts(parts, "filters", filters)

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        self._dim = int(x_shape[-1])
        check_parts(self.parts, "the input's width", self._dim)
        shape = (self.parts, self.kernel_size, self._dim // self.parts, self.filters // self.parts)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.mix = self.add_weight(shape=(self.filters, self.filters), initializer="glorot_uniform", name="mix")
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def _combined(self, taps: list[Tensor]) -> Tensor:
        runs = [ops.split(tap, self.parts, axis=-1) for tap in taps]
        width = self._dim // self.parts
        found = []
        for part in range(self.parts):
            kernel = ops.reshape(self.kernel[part], (self.kernel_size * width, self.filters // self.parts))
            found.append(ops.matmul(ops.concatenate([tap[part] for tap in runs], axis=-1), kernel))
        y = ops.matmul(ops.concatenate(found, axis=-1), self.mix)
        return y + self.bias if self.use_bias else y
