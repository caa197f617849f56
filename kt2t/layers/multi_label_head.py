"""Hidden states to a yes or no for each of several classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.pooling import pooled
from kt2t.ops.keras_masks import segments_or_mask
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class MultiLabelHead(keras.layers.Layer):
    """Computes one logit per class for a whole example; each class has its own sigmoid.

        logits = W · mean(h_t) + b,  p(class k) = 1 / (1 + exp(-logit_k))

    Shapes:
        hidden (batch, …, hidden_dim), segments (batch, …) int32 or None, or a mask (batch, …) → (batch, num_classes);
        `answer`: these logits → (batch, num_classes) float32 of zeros and ones

    Args:
        num_classes: Number of classes.

    Raises:
        ValueError: `num_classes` is not positive.

    Source: Tensor2Tensor's multi-label top. Departs: pooled over real positions.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = positive("num_classes", num_classes)
        self.dense = keras.layers.Dense(num_classes, dtype=self.dtype_policy)

    def build(self, hidden_shape: Any, segments_shape: Any = None) -> None:
        self.dense.build((hidden_shape[0], hidden_shape[-1]))

    def call(self, hidden: Tensor, segments: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        segments = segments_or_mask(hidden, segments, mask)
        return self.dense(ops.cast(pooled(hidden, segments), self.compute_dtype))

    def compute_mask(self, hidden: Tensor, previous_mask: Any = None) -> None:
        """Returns None, because the output has no positions to mask."""
        return None

    def answer(self, logits: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns 1 for each class whose probability is above one half, else 0."""
        return ops.cast(ops.greater(logits, 0), "float32")

    def compute_output_shape(self, hidden_shape: Any, segments_shape: Any = None) -> tuple[int | None, ...]:
        return (hidden_shape[0], self.num_classes)
