"""Token ids to vectors, and hidden states to logits with the same table."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.features import PADDING
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class TokenEmbedding(keras.layers.Layer):
    """Looks up a vector for each id; id 0, padding, becomes the zero vector.

        x = sqrt(hidden_dim) · table[id],  logits = h · tableᵀ

    Shapes:
        ids (batch, time) → (batch, time, hidden_dim); `logits`: (…, hidden_dim) → (…, vocabulary_size)

    Args:
        vocabulary_size: Number of ids, padding and end included.
        hidden_dim: Width of a vector.
        mask_zero: Whether the output has Keras's implicit mask (batch, time), False where the id is 0. Layers that follow
            then leave padding out without being told.

    Raises:
        ValueError: A size is not positive.

    Source: Vaswani et al. 2017, section 3.4; N(0, hidden_dim^-0.5) initialisation and the zero row as in Tensor2Tensor.
    """

    def __init__(self, vocabulary_size: int, hidden_dim: int, mask_zero: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.vocabulary_size = positive("vocabulary_size", vocabulary_size)
        self.hidden_dim = positive("hidden_dim", hidden_dim)

    def build(self, ids_shape: Any = None, segments_shape: Any = None) -> None:
        self.table = self.add_weight(
            shape=(self.vocabulary_size, self.hidden_dim),
            initializer=keras.initializers.RandomNormal(stddev=self.hidden_dim**-0.5),
            name="table",
            autocast=False,
        )

    def call(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        # The table is cast after the gather: only the rows that are read, and the gradient stays that of a gather.
        rows = ops.cast(ops.take(self.table, ids, axis=0), self.compute_dtype)
        scale = ops.cast(ops.not_equal(ids, PADDING), self.compute_dtype) * self.hidden_dim**0.5
        return rows * ops.expand_dims(scale, -1)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment ids of the output: those of the token ids; if none are given, one segment without padding."""
        return ops.ones_like(value, dtype="int32") if segments is None else segments

    def compute_mask(self, ids: Tensor, previous_mask: Any = None) -> Tensor | None:
        """Returns a mask that is True where the ids are not padding, if `mask_zero` is set; else None."""
        return ops.not_equal(ids, PADDING) if self.mask_zero else None

    def logits(self, hidden: Tensor) -> Tensor:
        """Computes logits over the ids with the same table, in the compute dtype and without the scale of the look-up."""
        table = ops.cast(self.table, self.compute_dtype)
        return ops.matmul(ops.cast(hidden, self.compute_dtype), ops.transpose(table))

    def compute_output_shape(self, ids_shape: Any, segments_shape: Any = None) -> tuple[int | None, ...]:
        return (*ids_shape, self.hidden_dim)
