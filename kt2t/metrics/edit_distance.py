"""Edit distance between predicted and correct ids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.features import PADDING
from kt2t.ops.distances import edit_distance
from kt2t.registry import register

Tensor = Any


@register
class EditDistance(keras.metrics.Metric):
    """Edit distance from the most probable ids to the correct ids, divided by the number of correct ids.

        Σ edits / Σ length

    Positions without weight and padding are removed from both sequences before they are compared. A packed row counts as
    one sequence.

    Shapes:
        y_true (batch, time) integer, y_pred (batch, time, V) logits, sample_weight (batch, time), (batch,) or None

    Source: Levenshtein 1966; Tensor2Tensor's sequence edit distance.
    """

    def __init__(self, name: str = "edit_distance", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.edits = self.add_weight(shape=(), initializer="zeros", name="edits")
        self.length = self.add_weight(shape=(), initializer="zeros", name="length")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        right = ops.cast(y_true, "int32")
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        if sample_weight is not None:
            weight = ops.cast(sample_weight, "float32")
            weight = ops.expand_dims(weight, -1) if len(weight.shape) == 1 else weight
            counts = ops.greater(weight, 0)
            right, predicted = (ops.where(counts, ids, PADDING) for ids in (right, predicted))
        self.edits.assign_add(ops.cast(ops.sum(edit_distance(predicted, right)), "float32"))
        self.length.assign_add(ops.cast(ops.sum(ops.cast(ops.not_equal(right, PADDING), "int32")), "float32"))

    def result(self) -> Tensor:
        return ops.divide_no_nan(self.edits, self.length)
