"""Classes of whole examples to vectors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class LabelEmbedding(keras.layers.Layer):
    """Looks up a vector for the class of a whole example, such as the language to translate into.

    Shapes:
        labels (batch,) int32 → (batch, hidden_dim)

    Args:
        num_classes: Rows of the table.
        hidden_dim: Width of a vector.

    Raises:
        ValueError: A size is not positive.

    Source: Tensor2Tensor's target-space embedding, a table with uniform fan-average initialisation.
    """

    def __init__(self, num_classes: int, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = positive("num_classes", num_classes)
        self.hidden_dim = positive("hidden_dim", hidden_dim)

    def build(self, labels_shape: Any = None, segments_shape: Any = None) -> None:
        self.table = self.add_weight(
            shape=(self.num_classes, self.hidden_dim), initializer="glorot_uniform", name="table"
        )

    def call(self, labels: Tensor, segments: Tensor | None = None) -> Tensor:
        return ops.cast(ops.take(self.table, labels, axis=0), self.compute_dtype)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment ids of the output: ones (batch,), because the output has no positions."""
        return ops.ones_like(value, dtype="int32")

    def compute_output_shape(self, labels_shape: Any, segments_shape: Any = None) -> tuple[int | None, ...]:
        return (*labels_shape, self.hidden_dim)
