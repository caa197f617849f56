"""The feed-forward network of two separable convolutions over time."""

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
class SeparableFeedForward(keras.layers.Layer):
    """Feed-forward network of two separable convolutions, each over a position and those before it.

        y = S2 · dropout(relu(S1 · x)),   (S · x)_t = P · (Σ_i d_i ⊙ x_{t-i}) + b

    d are the depthwise weights, one number for each place and channel, and P is the pointwise matrix. An encoder looks to
    the left too, as in Tensor2Tensor. What is in another example or in padding counts as zero. In decoding the cache
    holds the last `width - 1` positions of each convolution.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None, real (batch, time)
        boolean or None → (batch, time, hidden_dim), 0 where not real

    Args:
        intermediate_dim: Number of channels between the convolutions.
        width: Number of positions that the first convolution reads.
        second_width: Number of positions that the second one reads.
        dropout: Probability of zeroing an inner unit, in training only.

    Raises:
        ValueError: A size is not positive.

    Source: Tensor2Tensor's conv_hidden_relu_with_sepconv; Kaiser et al. 2018 for separable convolutions of sequences.
    """

    reads_segments = True
    takes_front = False

    def __init__(
        self, intermediate_dim: int, width: int = 3, second_width: int = 31, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.intermediate_dim = positive("intermediate_dim", intermediate_dim)
        self.widths = (positive("width", width), positive("second_width", second_width))
        self.widen = keras.layers.Dense(intermediate_dim, activation="relu", dtype=self.dtype_policy)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.narrow: Any = None

    def build(self, input_shape: Any) -> None:
        self.hidden_dim = input_shape[-1]
        self.first_depthwise = self._depthwise("first_depthwise", self.widths[0], self.hidden_dim)
        self.second_depthwise = self._depthwise("second_depthwise", self.widths[1], self.intermediate_dim)
        self.narrow = keras.layers.Dense(self.hidden_dim, dtype=self.dtype_policy)
        self.widen.build(input_shape)
        self.narrow.build((*input_shape[:-1], self.intermediate_dim))

    def call(
        self,
        x: Tensor,
        mask: Any = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        segments, _ = row_of(mask)
        mixed = _mixed(neighbours(x, self.widths[0], segments, True, cache, "first"), self.first_depthwise)
        h = self.dropout(self.widen(mixed), training=training)
        mixed = _mixed(neighbours(h, self.widths[1], segments, True, cache, "second"), self.second_depthwise)
        y = self.narrow(mixed)
        return y if real is None else y * ops.cast(ops.expand_dims(real, -1), y.dtype)

    def start(self, cache: Cache) -> None:
        """Makes room in the cache for the positions that each convolution reads before the present one."""
        keep_neighbours(cache, "first", self.widths[0], self.hidden_dim, self.compute_dtype)
        keep_neighbours(cache, "second", self.widths[1], self.intermediate_dim, self.compute_dtype)

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Any:
        """Returns Keras's padding mask of x, since the output has the same padding."""
        return previous_mask

    def _depthwise(self, name: str, width: int, channels: int) -> Any:
        initial = keras.initializers.RandomUniform(-((3 / width) ** 0.5), (3 / width) ** 0.5)
        return self.add_weight(shape=(width, channels), initializer=initial, name=name)


def _mixed(window: list[Tensor], depthwise: Tensor) -> Tensor:
    """Sums a window over its places, with a weight for each place and channel."""
    weights = ops.cast(depthwise, window[0].dtype)
    total = window[0] * weights[0]
    for place, value in enumerate(window[1:], 1):
        total = total + value * weights[place]
    return total
