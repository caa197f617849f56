"""The feed-forward network of two convolutions over time."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.time_windows import keep_neighbours, neighbours, row_of
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class ConvolutionalFeedForward(keras.layers.Layer):
    """Feed-forward network of two convolutions over time, with a ReLU and dropout between them.

        y = C2 · dropout(relu(C1 · x)),   (C · x)_t = (Σ_i W_i · x_{t+i} + b) / √width,  and not divided for a width of 1

    i runs over the places of a window. Under a causal mask a convolution reads a position and those before it, else those
    on both sides. What is in another example or in padding counts as zero. In decoding the cache holds the last
    `width - 1` positions of each convolution.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None, real (batch, time)
        boolean or None → (batch, time, hidden_dim), 0 where not real

    Args:
        intermediate_dim: Number of channels between the convolutions.
        width: Number of positions that the first convolution reads.
        second_width: Number of positions that the second one reads.
        dropout: Probability of zeroing an inner unit, in training only.
        first_is_own: Whether the matrix of a window's earliest place multiplies the position itself instead, as in
            Tensor2Tensor, whose convolution never reads the earliest place. For imported weights.

    Raises:
        ValueError: A size is not positive.

    Source: Tensor2Tensor's conv_relu_conv; see `first_is_own` for where we depart from it.
    """

    reads_segments = True
    takes_front = False

    def __init__(
        self,
        intermediate_dim: int,
        width: int = 3,
        second_width: int = 1,
        dropout: float = 0.0,
        first_is_own: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.intermediate_dim = positive("intermediate_dim", intermediate_dim)
        self.widths = (positive("width", width), positive("second_width", second_width))
        self.first_is_own = first_is_own
        self.first = keras.layers.Dense(intermediate_dim, dtype=self.dtype_policy)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.second: Any = None

    def build(self, input_shape: Any) -> None:
        width, second_width = self.widths
        self.hidden_dim = input_shape[-1]
        self.second = keras.layers.Dense(self.hidden_dim, dtype=self.dtype_policy)
        self.first.build((*input_shape[:-1], width * self.hidden_dim))
        self.second.build((*input_shape[:-1], second_width * self.intermediate_dim))

    def call(
        self,
        x: Tensor,
        mask: Any = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        segments, causal = row_of(mask)
        window = neighbours(x, self.widths[0], segments, causal, cache, "first")
        h = self.dropout(ops.relu(self._convolved(self.first, x, window)), training=training)
        window = neighbours(h, self.widths[1], segments, causal, cache, "second")
        y = self._convolved(self.second, h, window)
        return y if real is None else y * ops.cast(ops.expand_dims(real, -1), y.dtype)

    def start(self, cache: Cache) -> None:
        """Makes room in the cache for the positions that each convolution reads before the present one."""
        keep_neighbours(cache, "first", self.widths[0], self.hidden_dim, self.compute_dtype)
        keep_neighbours(cache, "second", self.widths[1], self.intermediate_dim, self.compute_dtype)

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Any:
        """Returns Keras's padding mask of x, since the output has the same padding."""
        return previous_mask

    def _convolved(self, dense: Any, own: Tensor, window: list[Tensor]) -> Tensor:
        if len(window) == 1:
            return dense(window[0])
        places = [own, *window[1:]] if self.first_is_own else window
        return dense(ops.concatenate(places, axis=-1)) * len(window) ** -0.5
