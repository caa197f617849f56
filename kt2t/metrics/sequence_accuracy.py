"""The share of rows that are predicted right as a whole."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class SequenceAccuracy(keras.metrics.Mean):
    """The share of rows whose likeliest id is right at every position that has weight.

    A row without any weight is not counted; a packed row counts as one.

    Shapes:
        y_true (batch, …) integer, y_pred (batch, …, V) logits, sample_weight (batch, …) or None

    Source: Tensor2Tensor's padded sequence accuracy.
    """

    def __init__(self, name: str = "sequence_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
        weight = ops.ones_like(right) if sample_weight is None else sample_weight
        counts = ops.broadcast_to(ops.greater(ops.cast(weight, "float32"), 0), ops.shape(right))
        positions = tuple(range(1, len(right.shape)))
        row_right = ops.all(ops.logical_or(right, ops.logical_not(counts)), axis=positions)
        row_counts = ops.any(counts, axis=positions)
        super().update_state(ops.cast(row_right, "float32"), ops.cast(row_counts, "float32"))
