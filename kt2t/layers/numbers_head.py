"""Hidden states to a vector of numbers."""

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
class NumbersHead(keras.layers.Layer):
    """Predicts numbers for a whole example (regression): the mean over its positions, then a linear layer.

        y = W · mean(h_t) + b

    Shapes:
        hidden (batch, …, hidden_dim), segments (batch, …) int32 or None, or a mask (batch, …) → (batch, size);
        `answer`: the same as float32

    Args:
        size: Number of predicted values.

    Raises:
        ValueError: `size` is not positive.

    Source: Tensor2Tensor's top of real numbers. Departs: pooled over real positions.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = positive("size", size)
        self.dense = keras.layers.Dense(size, dtype=self.dtype_policy)

    def build(self, hidden_shape: Any, segments_shape: Any = None) -> None:
        self.dense.build((hidden_shape[0], hidden_shape[-1]))

    def call(self, hidden: Tensor, segments: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        segments = segments_or_mask(hidden, segments, mask)
        return self.dense(ops.cast(pooled(hidden, segments), self.compute_dtype))

    def compute_mask(self, hidden: Tensor, previous_mask: Any = None) -> None:
        """Returns None, because the output has no positions to mask."""
        return None

    def answer(self, logits: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the predicted numbers as float32; `segments` have no influence."""
        return ops.cast(logits, "float32")

    def compute_output_shape(self, hidden_shape: Any, segments_shape: Any = None) -> tuple[int | None, ...]:
        return (hidden_shape[0], self.size)
