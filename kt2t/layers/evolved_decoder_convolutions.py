"""The convolutions of a decoder cell of the Evolved Transformer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.evolved_encoder_convolutions import half_of, widened
from kt2t.layers.residual import norm_like
from kt2t.layers.separable_convolution import SeparableConvolution
from kt2t.layers.time_windows import row_of
from kt2t.registry import register

Tensor = Any


@register
class EvolvedDecoderConvolutions(keras.layers.Layer):
    """Two separable convolutions side by side, whose sum is normed and convolved again. All read earlier positions only.

        a = dropout(relu(x ∗ S11 + b)),         2 · hidden_dim channels
        c = dropout(x ∗ S7 + b),                hidden_dim / 2 channels, zeros behind
        y = norm(a + c) ∗ S7' + b,              hidden_dim channels

    While decoding, the cache keeps the last 10, 6 and 6 inputs of the three convolutions for each beam.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None
        → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x, an even number.
        dropout: Probability of zeroing an element of a branch, in training only.
        normalization: Prototype of the norm; `LayerNorm` unless given.

    Raises:
        ValueError: `hidden_dim` is not positive or odd.

    Source: So et al. 2019, figure 3, the second layer of a decoder cell.
    """

    reads_segments = True

    def __init__(self, hidden_dim: int, dropout: float = 0.0, normalization: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        half = half_of(hidden_dim)
        self.hidden_dim = hidden_dim
        dtype = self.dtype_policy
        self.wide = SeparableConvolution(2 * hidden_dim, 11, dtype=dtype)
        self.narrow = SeparableConvolution(half, 7, dtype=dtype)
        self.dropout = Dropout(dropout, dtype=dtype)
        self.norm = norm_like(normalization, dtype.name)
        self.last = SeparableConvolution(hidden_dim, 7, dtype=dtype)

    def build(self, x_shape: Any) -> None:
        for layer in (self.wide, self.narrow):
            layer.build(x_shape)
        for layer in (self.norm, self.last):
            layer.build((*x_shape[:-1], 2 * self.hidden_dim))

    def call(self, x: Tensor, mask: Any = None, cache: Cache | None = None, training: bool | None = None) -> Tensor:
        segments, _ = row_of(mask)
        a = ops.relu(self.wide(x, segments, cache=cache and cache.child("wide")))
        c = self.narrow(x, segments, cache=cache and cache.child("narrow"))
        a, c = (self.dropout(branch, training=training) for branch in (a, c))
        h = self.norm(a + widened(c, 2 * self.hidden_dim))
        return self.last(h, segments, cache=cache and cache.child("last"))

    def start(self, cache: Cache) -> None:
        """Makes room in the cache for the positions that each convolution reads before the present one."""
        for name in ("wide", "narrow", "last"):
            getattr(self, name).start(None, cache.child(name))

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Any:
        """Returns Keras's padding mask of x, since the output has the same padding."""
        return previous_mask
