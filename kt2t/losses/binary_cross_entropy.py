"""Cross-entropy of zeros and ones under logits."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class BinaryCrossEntropy(keras.losses.Loss):
    """Computes the cross-entropy of each class of a multi-label target, in nats.

        l = -y log σ(x) - (1 - y) log(1 - σ(x)) = max(x, 0) - x y + log(1 + exp(-|x|))

    The loss has a value for each class, so that a class may have a weight of its own. Everything is float32.

    Shapes:
        y_true (batch, classes) zeros and ones, y_pred (batch, classes) logits → `call`: (batch, classes) float32

    Source: Tensor2Tensor's multi-label loss, sigmoid cross-entropy.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        logits = ops.cast(y_pred, "float32")
        truth = ops.reshape(ops.cast(y_true, "float32"), ops.shape(logits))  # (batch,) and (batch, 1) never spread out
        return ops.maximum(logits, 0.0) - logits * truth + ops.log1p(ops.exp(-ops.abs(logits)))
