"""Self attention within blocks, with learned vectors for the distance of query and key."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.local_attention import LocalAttention
from kt2t.registry import register

Tensor = Any


@register
class RelativeLocalAttention(LocalAttention):
    """Local attention that adds a learned vector for the distance from the query back to the key.

        e_ij = q_i · (k_j + a_(i-j)) / √d_h   for the keys j ≤ i in the window of `LocalAttention`

    All heads share the vectors; there is one for every distance that the window allows. In an encoder, keys after the
    query have none.

    Shapes:
        x (batch, time, dim), mask: a `SegmentMask`, or a padding mask (batch, time) → (batch, time, output_dim)

    Args:
        common: The options of `LocalAttention`.

    Raises:
        ValueError: As `LocalAttention`.

    Source: Tensor2Tensor's masked_relative_local_attention_1d, whose table has twice as many rows, of which it reads the
    last half; distances as in Shaw et al. 2018, equation 4.
    """

    def __init__(self, num_heads: int, block_length: int = 256, margin: int | None = None, **common: Any) -> None:
        super().__init__(num_heads, block_length, margin, **common)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        super().build(x_shape, memory_shape)
        depth = self._key_dim // self.num_heads
        self.key_distances = self.add_weight(
            shape=(self.reach()[0] + 1, depth),
            initializer=keras.initializers.RandomNormal(stddev=depth**-0.5),
            name="key_distances",
        )

    def by_distance(self, query: Tensor) -> tuple[Tensor, int, int] | None:
        return ops.matmul(query, ops.transpose(ops.cast(self.key_distances, query.dtype))), self.reach()[0], 0
