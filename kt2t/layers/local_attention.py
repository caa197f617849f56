"""Self attention within blocks and their neighbours."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.window_attention import WindowAttention
from kt2t.registry import register

Tensor = Any


@register
class LocalAttention(WindowAttention):
    """Self attention in which each position sees its own block of the example and some positions on each side of it.

        i sees j  ⇔  s_i - r ≤ j < s_i + B + r,   s_i = B · ⌊i / B⌋,   and j ≤ i under a causal mask

    With the default r = B a decoder sees its own and the previous block; with r = 0 only its own block. An encoder sees
    both sides. Time and memory grow with time × (B + r), never with time × time; in decoding a beam keeps
    B + r keys and values. Blocks are counted from the start of each example, also in a packed row.

    Shapes:
        x (batch, time, dim), mask: a `SegmentMask`, or a padding mask (batch, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of attention heads.
        block_length: B, in positions. A block longer than the sequence is one block.
        margin: r, in positions, the part of the window on each side of the block; B unless given.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, `block_length` is not positive, or `margin` is negative.

    Source: Liu et al. 2018 (Generating Wikipedia), section 4.2.4, local attention; Parmar et al. 2018, section 3.3;
    Tensor2Tensor's local_mask_right (r = B), local_within_block_mask_right (r = 0) and local_unmasked (r = filter_width).
    """

    def __init__(
        self,
        num_heads: int,
        block_length: int = 256,
        margin: int | None = None,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, block_length, key_dim, value_dim, output_dim, dropout, **kwargs)
        if margin is not None and margin < 0:
            raise ValueError(f"margin: {margin} is negative. Use 0 to see the own block alone.")
        self.margin = margin

    def reach(self) -> tuple[int, int]:
        farthest = self.block_length - 1 + self._margin
        return farthest, farthest

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        start = query // self.block_length * self.block_length
        inside = ops.greater_equal(key, start - self._margin)
        return ops.logical_and(inside, ops.less(key, start + self.block_length + self._margin))

    @property
    def _margin(self) -> int:
        return self.block_length if self.margin is None else self.margin
