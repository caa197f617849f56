"""Squared error of numbers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class MeanSquaredError(keras.losses.Loss):
    """Computes the squared error of each predicted number.

        l = (y - ŷ)²

    The trainer takes the weighted mean. Unlike Keras's loss of this name, it has a value for each number, so that a number
    may have a weight of its own, such as 0 where it is unknown. Everything is float32.

    Shapes:
        y_true (batch, size), y_pred (batch, size) → `call`: (batch, size) float32

    Source: Tensor2Tensor's loss of real numbers.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        prediction = ops.cast(y_pred, "float32")
        truth = ops.reshape(
            ops.cast(y_true, "float32"), ops.shape(prediction)
        )  # (batch,) and (batch, 1) never spread out
        return ops.square(truth - prediction)
