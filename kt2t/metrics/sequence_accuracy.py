"""Share of sequences that are predicted entirely correctly."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.segments import shown, sums
from kt2t.registry import register

Tensor = Any


@register
class SequenceAccuracy(keras.metrics.Mean):
    """Share of sequences whose most probable id is correct at every position that has weight.

    A sequence is a row. Inside `ops.segments.showing` with the segments of packed rows, each segment is a sequence, and
    padding is not counted. A sequence without any weight is not counted.

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
        wrong = ops.logical_and(counts, ops.logical_not(right))
        counted, missed = (self._by_sequence(ops.cast(one, "float32")) for one in (counts, wrong))
        super().update_state(ops.cast(ops.equal(missed, 0), "float32"), ops.cast(ops.greater(counted, 0), "float32"))

    def _by_sequence(self, x: Tensor) -> Tensor:
        segments = shown()
        if segments is None or len(x.shape) != 2:
            return ops.sum(x, axis=tuple(range(1, len(x.shape))))
        # Flat, because `Mean` averages the weights over further axes before it adds them up.
        return ops.reshape(sums(x * ops.cast(ops.greater(segments, 0), x.dtype), segments), (-1,))
