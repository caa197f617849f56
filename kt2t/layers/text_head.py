"""Hidden states to logits over a vocabulary."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.features import PADDING
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class TextHead(keras.layers.Layer):
    """Computes logits over a vocabulary at each position, with a table of its own and no bias.

        logits = h · tableᵀ

    Shapes:
        hidden (…, hidden_dim) → (…, vocabulary_size); `answer`: logits (batch, time, vocabulary_size) → ids (batch, time)

    Args:
        vocabulary_size: Number of ids, padding and end included.

    Raises:
        ValueError: `vocabulary_size` is not positive.

    Source: Press and Wolf 2017 without the tying; N(0, hidden_dim^-0.5) initialisation as in Tensor2Tensor.
    """

    def __init__(self, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.vocabulary_size = positive("vocabulary_size", vocabulary_size)

    def build(self, hidden_shape: Any, segments_shape: Any = None) -> None:
        # Rows are ids, as in the embedding: a tied and an untied table are alike.
        width = hidden_shape[-1]
        self.table = self.add_weight(
            shape=(self.vocabulary_size, width),
            initializer=keras.initializers.RandomNormal(stddev=width**-0.5),
            name="table",
        )

    def call(self, hidden: Tensor, segments: Tensor | None = None) -> Tensor:
        return ops.matmul(hidden, ops.transpose(self.table))

    def answer(self, logits: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the most probable id at each position; 0 where `segments` mark padding."""
        ids = ops.argmax(logits, axis=-1)
        return ids if segments is None else ops.where(ops.greater(segments, 0), ids, PADDING)
