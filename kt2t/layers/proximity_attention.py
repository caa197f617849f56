"""Self attention that favours near keys."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.biased_attention import BiasedAttention
from kt2t.registry import register

Tensor = Any


@register
class ProximityAttention(BiasedAttention):
    """Self attention whose logits fall with the logarithm of the distance between query and key.

        output = softmax(q_i · k_j / √d_h - log(1 + |i - j|)) · v_j

    So before anything is learned, a key's weight is inverse to its distance.

    Shapes:
        x (batch, time, dim), mask (batch or 1, time or 1, time) → (batch, time, output_dim)

    Args:
        common: The options of `Attention`.

    Raises:
        ValueError: `num_heads` does not divide a width.

    Source: Tensor2Tensor's proximity_bias.
    """

    def __init__(self, num_heads: int, **common: Any) -> None:
        super().__init__(num_heads, **common)

    def bias(self, distance: Tensor) -> Tensor:
        return -ops.log1p(ops.cast(ops.abs(ops.expand_dims(distance, 0)), "float32"))
