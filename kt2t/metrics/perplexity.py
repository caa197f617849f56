"""Perplexity."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.losses.cross_entropy import CrossEntropy
from kt2t.registry import register

Tensor = Any


@register
class Perplexity(keras.metrics.Metric):
    """Perplexity over all positions since the last reset, not the mean of the batches' perplexities.

        exp(Σ w · -log p(correct id) / Σ w)

    The weights alone decide what counts; no id is special.

    Shapes:
        y_true (…) integer, y_pred (…, V) logits, sample_weight (…) or None

    Source: Jelinek et al. 1977.
    """

    def __init__(self, name: str = "perplexity", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.surprise = self.add_weight(shape=(), initializer="zeros", name="surprise")
        self.weight = self.add_weight(shape=(), initializer="zeros", name="weight")
        self.loss = CrossEntropy()

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        surprise = self.loss.call(y_true, y_pred)
        weight = ops.ones_like(surprise) if sample_weight is None else ops.cast(sample_weight, "float32")
        weight = ops.broadcast_to(weight, ops.shape(surprise))
        # Without weight the surprise may be infinite, and 0 · inf is NaN.
        counted = ops.where(ops.equal(weight, 0), ops.zeros_like(surprise), surprise * weight)
        self.surprise.assign_add(ops.sum(counted))
        self.weight.assign_add(ops.sum(weight))

    def result(self) -> Tensor:
        return ops.exp(ops.divide_no_nan(self.surprise, self.weight))
