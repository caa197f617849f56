"""Convolutions of several widths, and the maximum of each over time."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.dropout import Dropout
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.ops.segments import maxima
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class TextConvolutions(Sequence):
    """Looks for features in windows of several widths; every position of an example gets the maximum of each over the example.

        f_t = relu(W_k · [x_t-k+1 … x_t] + b_k),   y = dropout([max_t f_t for every width k])

    A window that begins before its example reads zeros there. So an example may be shorter than a window, and what shares its
    row changes nothing. An example has one dropout mask for all of its positions.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, filters · len(kernel_sizes))

    Args:
        filters: Number of features of each width.
        kernel_sizes: Widths of the windows, in positions; 3, 4 and 5 unless given.
        dropout: Probability of zeroing a feature, in training only.
        include_padding: Whether windows of padding count, and windows that begin before the row do not, as in Tensor2Tensor.
            Each row must then hold one example.

    Raises:
        ValueError: A size is not positive, there are no widths, or the layer gets a memory or a cache.

    Source: Kim 2014 (Convolutional Neural Networks for Sentence Classification), section 2. Departs: a window may begin before
    the example, unless `include_padding`.
    """

    def __init__(
        self,
        filters: int = 128,
        kernel_sizes: list[int] | None = None,
        dropout: float = 0.0,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = [3, 4, 5] if kernel_sizes is None else kernel_sizes
        self.kernel_sizes = [positive("kernel_sizes", size) for size in sizes]
        if not self.kernel_sizes:
            raise ValueError("kernel_sizes: there are none. Give the widths of the windows, such as [3, 4, 5].")
        self.filters = positive("filters", filters)
        self.include_padding = include_padding
        self.convolutions = [DilatedConvolution(filters, size, dtype=self.dtype_policy) for size in self.kernel_sizes]
        self.dropout = Dropout(dropout, broadcast_axes=[1], dtype=self.dtype_policy)

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        for convolution in self.convolutions:
            convolution.build(x_shape)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if memory is not None or cache is not None:
            raise ValueError(
                "encoder: TextConvolutions reads whole examples, without a memory or a cache. Use a Reader."
            )
        if segments is None or self.include_padding:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        found = [ops.relu(convolution(x, segments)) for convolution in self.convolutions]
        if self.include_padding:  # a feature is never below 0, so zeros do not change a maximum
            found = [_whole_windows(y, size) for y, size in zip(found, self.kernel_sizes, strict=True)]
        return self.dropout(maxima(ops.concatenate(found, axis=-1), segments), training=training)

    def compute_output_shape(self, x_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        return (*x_shape[:-1], self.filters * len(self.kernel_sizes))


def _whole_windows(y: Tensor, size: int) -> Tensor:
    """Returns y with zeros in the place of windows that begin before the row; a row shorter than a window keeps its last."""
    time = ops.shape(y)[1]
    is_whole = ops.arange(time, dtype="int32") >= ops.minimum(size, time) - 1
    return y * ops.cast(ops.expand_dims(is_whole, (0, 2)), y.dtype)
