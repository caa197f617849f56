"""Vectors of numbers to one position of a sequence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class NumbersEmbedding(keras.layers.Layer):
    """Projects a vector of numbers, or of zeros and ones for several labels, to one position.

        x = W · numbers + b

    The layer does not normalise the numbers: scale them to about 1 in the problem.

    Shapes:
        numbers (batch, size) float32 → (batch, 1, hidden_dim)

    Args:
        hidden_dim: Width of a vector.

    Raises:
        ValueError: `hidden_dim` is not positive.

    Source: Tensor2Tensor's bottom of real numbers, a linear layer.
    """

    def __init__(self, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = positive("hidden_dim", hidden_dim)
        self.dense = keras.layers.Dense(hidden_dim, dtype=self.dtype_policy)

    def build(self, numbers_shape: Any, segments_shape: Any = None) -> None:
        self.dense.build(numbers_shape)

    def call(self, numbers: Tensor, segments: Tensor | None = None) -> Tensor:
        return ops.expand_dims(self.dense(numbers), 1)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment ids of the output: ones (batch, 1)."""
        return ops.ones((ops.shape(value)[0], 1), dtype="int32")

    def compute_output_shape(self, numbers_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        return (numbers_shape[0], 1, self.hidden_dim)
