"""Self attention with linear biases."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kt2t.layers.biased_attention import BiasedAttention
from kt2t.registry import register

Tensor = Any


@register
class ALiBiAttention(BiasedAttention):
    """Self attention whose logits fall linearly with the distance between query and key, each head at its own rate.

        output_h = softmax(q_i · k_j / √d_h - r_h |i - j|) · v_j,   r_h = 2^(-8 h / n) for h = 1 … n

    Needs no positions (`NoPositions`), and continues to lengths beyond those in training. Where the number of heads is no power
    of two, the first heads have the rates of the next smaller power n, and the others every second rate of 2n.

    Shapes:
        x (batch, time, dim), mask (batch or 1, time or 1, time) → (batch, time, output_dim)

    Args:
        common: The options of `Attention`.

    Raises:
        ValueError: `num_heads` does not divide a width.

    Source: Press et al. 2022 (Train Short, Test Long), section 3, and its code for other numbers of heads. Without a causal
    mask later keys have the same bias as earlier ones.
    """

    def __init__(self, num_heads: int, **common: Any) -> None:
        super().__init__(num_heads, **common)

    def bias(self, distance: Tensor) -> Tensor:
        rates = np.reshape(slopes(self.num_heads), (-1, 1, 1))
        return -rates * ops.cast(ops.abs(ops.expand_dims(distance, 0)), "float32")


def slopes(num_heads: int) -> np.ndarray:
    """Computes the rate of each head, (heads,) float32."""
    power = 2 ** (num_heads.bit_length() - 1)
    rates = 2.0 ** (-8.0 * np.arange(1, power + 1) / power)
    between = 2.0 ** (-8.0 * np.arange(1, 2 * power + 1, 2) / (2 * power))
    return np.concatenate([rates, between[: num_heads - power]]).astype("float32")
