"""One vector for a whole example, from the hidden states of its positions."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def pooled(hidden: Tensor, segments: Tensor | None = None) -> Tensor:
    """Computes the mean over the real positions of each row, in float32; returns zeros for a row of padding.

        y = Σ_t [segment_t > 0] · h_t / Σ_t [segment_t > 0]

    Shapes:
        hidden (batch, …, hidden_dim), segments (batch, …) → (batch, hidden_dim)

    Args:
        hidden: States of a sequence or a map; (batch, hidden_dim) is returned as it is.
        segments: Segment ids; 0 marks padding. If None, every position is real.
    """
    wide = ops.cast(hidden, "float32")
    axes = tuple(range(1, len(hidden.shape) - 1))
    if not axes:
        return wide
    if segments is None:
        return ops.mean(wide, axis=axes)
    weights = ops.cast(ops.expand_dims(ops.greater(segments, 0), -1), "float32")
    return ops.sum(wide * weights, axis=axes) / ops.maximum(ops.sum(weights, axis=axes), 1.0)
