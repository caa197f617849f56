"""F1 of several labels at once."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class F1(keras.metrics.Metric):
    """F1 over all labels of all examples, from 0 to 1; a label is predicted where its logit is above 0.

        F1 = 2 Σ w·hit / (Σ w·predicted + Σ w·right)

    Every label of every example counts alike (micro average). Where nothing is predicted and nothing is right, F1 is 0.

    Shapes:
        y_true (batch, classes) zeros and ones, y_pred (batch, classes) logits, sample_weight (batch,) or None

    Source: van Rijsbergen 1979, chapter 7.
    """

    def __init__(self, name: str = "f1", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.hits = self.add_weight(shape=(), initializer="zeros", name="hits")
        self.found = self.add_weight(shape=(), initializer="zeros", name="found")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        right = ops.cast(ops.greater(ops.cast(y_true, "float32"), 0.5), "float32")
        predicted = ops.cast(ops.greater(y_pred, 0), "float32")
        weight = ops.ones_like(right) if sample_weight is None else ops.cast(sample_weight, "float32")
        while len(weight.shape) < len(right.shape):
            weight = ops.expand_dims(weight, -1)
        self.hits.assign_add(ops.sum(weight * right * predicted))
        self.found.assign_add(ops.sum(weight * (right + predicted)))

    def result(self) -> Tensor:
        return ops.divide_no_nan(2.0 * self.hits, self.found)
