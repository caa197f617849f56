"""A convolution over time whose taps may stand apart, and which stays within each example."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.options import one_of, positive
from kt2t.registry import register

Tensor = Any


@register
class DilatedConvolution(Sequence):
    """A 1-D convolution with `dilation - 1` positions between neighbouring taps.

        y_t = Σ_i x_(t + i · dilation - left) · W_i + b,   i = 0 … kernel_size - 1

    `left` is the whole reach (kernel_size - 1) · dilation if the padding is causal, so that no output reads a later position,
    and half of it, rounded down, if the padding is "same". A tap outside the row, or on a position of another example, reads
    zeros. While decoding, the cache keeps the last (kernel_size - 1) · dilation inputs of each beam and nothing more.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        filters: Width of the output.
        kernel_size: Number of taps.
        dilation: Distance in positions from one tap to the next.
        padding: causal: reads the position and earlier ones; same: reads both sides, and cannot decode step by step.
        use_bias: Whether b is added.
        first_bias: The value of every element of b at the start.

    Raises:
        ValueError: A size is not positive, `padding` is unknown, the layer gets a memory, or a layer with "same" padding is
            asked to decode.

    Source: van den Oord et al. 2016 (WaveNet), section 2.1; Kalchbrenner et al. 2016 (ByteNet), section 3.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        dilation: int = 1,
        padding: Literal["causal", "same"] = "causal",
        use_bias: bool = True,
        first_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive("filters", filters)
        self.kernel_size = positive("kernel_size", kernel_size)
        self.dilation = positive("dilation", dilation)
        self.padding = one_of("padding", padding, ("causal", "same"))
        self.use_bias = use_bias
        self.first_bias = first_bias
        self.reach = (kernel_size - 1) * dilation

    @property
    def kernel_width(self) -> int:
        """Returns the number of outputs of the kernel at each position."""
        return self.filters

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        self._dim = int(x_shape[-1])
        shape = (self.kernel_size, self._dim, self.kernel_width)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        if self.use_bias:
            first = keras.initializers.Constant(self.first_bias)
            self.bias = self.add_weight(shape=(self.kernel_width,), initializer=first, name="bias")

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if memory is not None:
            raise ValueError("memory: DilatedConvolution reads no memory. Join it to the sequence outside the layer.")
        if cache is not None:
            return self._step(x, cache)
        time = ops.shape(x)[1]
        left = self.reach if self.padding == "causal" else self.reach // 2
        around = [left, self.reach - left]
        padded = ops.pad(x, [[0, 0], around, [0, 0]])
        taps = [padded[:, start : start + time] for start in self._starts()]
        if segments is not None:
            numbers = ops.pad(segments, [[0, 0], around])
            same = [ops.equal(numbers[:, start : start + time], segments) for start in self._starts()]
            taps = [ops.where(ops.expand_dims(here, 2), tap, 0) for tap, here in zip(taps, same, strict=True)]
        return self._combined(taps)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        if self.padding != "causal":
            raise ValueError("padding: 'same' reads later positions, so it cannot decode step by step. Choose causal.")
        if memory is not None:
            raise ValueError("memory: DilatedConvolution reads no memory. Join it to the sequence outside the layer.")
        cache.keep("window", (self.reach, self._dim), self.compute_dtype)

    def resume(self, x: Tensor, segments: Tensor, cache: Cache) -> None:
        """Prepares the cache to go on behind x, one example in each row with its padding in front; keeps its last positions.

        Shapes:
            x (batch, time, dim), segments (batch, time) int32
        """
        real = ops.where(ops.expand_dims(ops.greater(segments, 0), 2), x, 0)
        window = ops.pad(real, [[0, 0], [self.reach, 0], [0, 0]])[:, ops.shape(x)[1] :]
        cache.keep("window", (self.reach, self._dim), self.compute_dtype, window)

    def compute_output_shape(self, x_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        return (*x_shape[:-1], self.filters)

    def _step(self, x: Tensor, cache: Cache) -> Tensor:
        """Decodes one position of every beam: x (batch, beams, dim)."""
        window = ops.concatenate([cache.read("window"), ops.expand_dims(ops.cast(x, self.compute_dtype), 2)], axis=2)
        cache.write("window", window[:, :, 1:])
        return self._combined([window[:, :, start] for start in self._starts()])

    def _starts(self) -> range:
        """Returns the place of each tap, counted from the first."""
        return range(0, self.reach + 1, self.dilation)

    def _combined(self, taps: list[Tensor]) -> Tensor:
        kernel = ops.reshape(self.kernel, (self.kernel_size * self._dim, self.kernel_width))
        y = ops.matmul(ops.concatenate(taps, axis=-1), kernel)
        return y + self.bias if self.use_bias else y
