"""Hidden states to logits over tags."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.features import PADDING
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any
NEVER = 30.0


@register
class TagsHead(keras.layers.Layer):
    """Computes logits over the tags at each position; id 0, padding, is never predicted.

        logits = [max(W h + b) - 30, W h + b]

    Padding's logit is 30 below the largest of the position: in float32 that changes no other probability, and unlike an
    infinite one it leaves a loss with label smoothing finite. No gradient flows through it.

    Shapes:
        hidden (batch, time, hidden_dim) → (batch, time, num_classes + 1); `answer`: these logits → ids (batch, time)

    Args:
        num_classes: Number of tags, padding not counted.

    Raises:
        ValueError: `num_classes` is not positive.

    Source: the linear layer of Collobert et al. 2011, section 3.1.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_classes = positive("num_classes", num_classes)
        self.dense = keras.layers.Dense(num_classes, dtype=self.dtype_policy)

    def build(self, hidden_shape: Any, segments_shape: Any = None) -> None:
        self.dense.build(hidden_shape)

    def call(self, hidden: Tensor, segments: Tensor | None = None) -> Tensor:
        tags = self.dense(hidden)
        padding = ops.stop_gradient(ops.max(tags, axis=-1, keepdims=True)) - NEVER
        return ops.concatenate([padding, tags], axis=-1)

    def answer(self, logits: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the id of the most probable tag at each position; 0 where `segments` mark padding."""
        ids = ops.argmax(logits[..., 1:], axis=-1) + 1
        return ids if segments is None else ops.where(ops.greater(segments, 0), ids, PADDING)
