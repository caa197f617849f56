"""The share of positions that are predicted right."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class TokenAccuracy(keras.metrics.Mean):
    """The share of positions whose likeliest id is the right one; Σw·right / Σw over everything seen.

    For one label a row it is plain accuracy.

    Shapes:
        y_true (…) integer, y_pred (…, V) logits, sample_weight (…) or None

    Source: Tensor2Tensor's padded accuracy.
    """

    def __init__(self, name: str = "token_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
        super().update_state(ops.cast(right, "float32"), sample_weight)
