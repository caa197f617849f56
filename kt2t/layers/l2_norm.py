"""Normalisation to unit length."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.layer_norm import LayerNorm
from kt2t.registry import register

Tensor = Any


@register
class L2Norm(LayerNorm):
    """Centres the last axis and gives it length 1, then scales and shifts it.

        y = (x - mean(x)) / sqrt(Σ (x - mean(x))² + epsilon) · scale + shift

    It is layer norm with a sum in place of the variance, so values before the scale are 1/√hidden_dim as large. The
    statistics are float32 under every dtype policy.

    Shapes:
        x (…, hidden_dim) → (…, hidden_dim)

    Args:
        epsilon: Added to the squared length.

    Raises:
        ValueError: `epsilon` is not positive.

    Source: Tensor2Tensor's l2 norm, in which scale starts at 1 and shift at 0.
    """

    def _spread(self, squares: Tensor) -> Tensor:
        return ops.sum(squares, axis=-1, keepdims=True)
