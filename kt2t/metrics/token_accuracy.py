"""Share of positions that are predicted correctly."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class TokenAccuracy(keras.metrics.Metric):
    """Share of positions whose most probable id is the correct one: Σ w · correct / Σ w since the last reset.

    With one label per row this is plain accuracy. With `top` above 1 a position is correct if its id is among the `top` most
    probable ids.

    Shapes:
        y_true (batch, …) integer, y_pred (batch, …, V) logits, sample_weight (batch, …), (batch,) or None

    Args:
        top: Number of most probable ids that may contain the correct one.

    Raises:
        ValueError: `top` is not positive.

    Source: Tensor2Tensor's padded accuracy, and with 5 its padded accuracy top 5.
    """

    def __init__(self, name: str = "token_accuracy", top: int = 1, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.top = positive("top", top)
        # `keras.metrics.Mean` averages over time first, so a position in a long batch would count less.
        self.right = self.add_weight(shape=(), initializer="zeros", name="right")
        self.weight = self.add_weight(shape=(), initializer="zeros", name="weight")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        right = ops.cast(self._is_right(ops.cast(y_true, "int32"), y_pred), "float32")
        weight = ops.ones_like(right) if sample_weight is None else ops.cast(sample_weight, "float32")
        while len(weight.shape) < len(right.shape):
            weight = ops.expand_dims(weight, -1)
        weight = ops.broadcast_to(weight, ops.shape(right))
        self.right.assign_add(ops.sum(right * weight))
        self.weight.assign_add(ops.sum(weight))

    def _is_right(self, ids: Tensor, logits: Tensor) -> Tensor:
        if self.top == 1:
            return ops.equal(ids, ops.cast(ops.argmax(logits, axis=-1), "int32"))
        _, likeliest = ops.top_k(logits, min(self.top, logits.shape[-1]))
        return ops.any(ops.equal(ops.expand_dims(ids, -1), ops.cast(likeliest, "int32")), axis=-1)

    def result(self) -> Tensor:
        return ops.divide_no_nan(self.right, self.weight)
