"""The convolutions of an encoder cell of the Evolved Transformer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.dropout import Dropout
from kt2t.layers.residual import norm_like
from kt2t.layers.separable_convolution import SeparableConvolution
from kt2t.layers.time_windows import row_of
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class EvolvedEncoderConvolutions(keras.layers.Layer):
    """Two branches side by side, a dense layer and a convolution, whose sum is normed and convolved again.

        a = dropout(relu(W · x + b)),           4 · hidden_dim channels
        c = dropout(relu(x ∗ K3 + b)),          hidden_dim / 2 channels, zeros behind
        y = norm(a + c) ∗ S9 + b,               hidden_dim / 2 channels, zeros behind

    K3 is a convolution over 3 positions, S9 a separable one over 9. They read both sides within an example.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None
        → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x, an even number.
        dropout: Probability of zeroing an element of a branch, in training only.
        normalization: Prototype of the norm; `LayerNorm` unless given.

    Raises:
        ValueError: `hidden_dim` is not positive or odd.

    Source: So et al. 2019, figure 3, the second layer of an encoder cell.
    """

    reads_segments = True

    def __init__(self, hidden_dim: int, dropout: float = 0.0, normalization: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        half = half_of(hidden_dim)
        self.hidden_dim = hidden_dim
        dtype = self.dtype_policy
        self.wide = keras.layers.Dense(4 * hidden_dim, activation="relu", dtype=dtype)
        self.near = DilatedConvolution(half, 3, padding="same", dtype=dtype)
        self.dropout = Dropout(dropout, dtype=dtype)
        self.norm = norm_like(normalization, dtype.name)
        self.far = SeparableConvolution(half, 9, padding="same", dtype=dtype)

    def build(self, x_shape: Any) -> None:
        self.wide.build(x_shape)
        self.near.build(x_shape)
        for layer in (self.norm, self.far):
            layer.build((*x_shape[:-1], 4 * self.hidden_dim))

    def call(self, x: Tensor, mask: Any = None, training: bool | None = None) -> Tensor:
        segments, _ = row_of(mask)
        a = self.dropout(self.wide(x), training=training)
        c = self.dropout(ops.relu(self.near(x, segments)), training=training)
        y = self.far(self.norm(a + widened(c, 4 * self.hidden_dim)), segments)
        return widened(y, self.hidden_dim)

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Any:
        """Returns Keras's padding mask of x, since the output has the same padding."""
        return previous_mask


def half_of(hidden_dim: int) -> int:
    """Returns half of the width, which one branch has.

    Raises:
        ValueError: `hidden_dim` is not positive or odd.
    """
    if positive("hidden_dim", hidden_dim) % 2:
        raise ValueError(f"hidden_dim: {hidden_dim} is odd, and one branch has half of it. Choose an even number.")
    return hidden_dim // 2


def widened(x: Tensor, width: int) -> Tensor:
    """Puts channels of zeros behind those of x.

    Shapes:
        x (batch, time, dim) → (batch, time, width)
    """
    return ops.pad(x, [[0, 0], [0, 0], [0, width - x.shape[-1]]])
