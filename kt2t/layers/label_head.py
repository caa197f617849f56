"""Hidden states to logits over the classes of a whole example."""

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
class LabelHead(keras.layers.Layer):
    """Computes logits over the classes of a whole example: the mean over its positions, then a linear layer.

        logits = W · mean(h_t) + b

    Shapes:
        hidden (batch, …, hidden_dim), segments (batch, …) int32 or None, or a mask (batch, …) → (batch, num_classes);
        `answer`: these logits → classes (batch,)

    Args:
        num_classes: Number of classes.
        include_padding: Whether the mean includes padding, as in Tensor2Tensor.

    Raises:
        ValueError: `num_classes` is not positive.

    Source: Tensor2Tensor's class-label top. Departs: padding is left out unless `include_padding`.
    """

    def __init__(self, num_classes: int, include_padding: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = positive("num_classes", num_classes)
        self.include_padding = include_padding
        self.dense = keras.layers.Dense(num_classes, dtype=self.dtype_policy)

    def build(self, hidden_shape: Any, segments_shape: Any = None) -> None:
        self.dense.build((hidden_shape[0], hidden_shape[-1]))

    def call(self, hidden: Tensor, segments: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        segments = segments_or_mask(hidden, segments, mask)
        return self.dense(ops.cast(pooled(hidden, None if self.include_padding else segments), self.compute_dtype))

    def compute_mask(self, hidden: Tensor, previous_mask: Any = None) -> None:
        """Returns None, because the output has no positions to mask."""
        return None

    def answer(self, logits: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the most probable class of each example."""
        return ops.argmax(logits, axis=-1)

    def compute_output_shape(self, hidden_shape: Any, segments_shape: Any = None) -> tuple[int | None, ...]:
        return (hidden_shape[0], self.num_classes)
