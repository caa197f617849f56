"""Self attention within blocks and blocks that lie apart from them."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.window_attention import WindowAttention
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class DilatedAttention(WindowAttention):
    """Self attention in which each position sees its own block of the example and memory blocks separated by gaps.

    With s = B · ⌊i / B⌋ the start of the query's block, an earlier key j is at distance d = s - 1 - j from the block:

        i sees j  ⇔  d < 0,  or  d mod (M + G) ≥ G  and  ⌊d / (M + G)⌋ < N

    and likewise for later keys, which a causal mask hides. So a stack of layers reaches far with few keys for each query.
    Time and memory grow with time × (B + N · (M + G)), never with time × time; the keys in the gaps are hidden. Blocks
    are counted from the start of each example, also in a packed row.

    Shapes:
        x (batch, time, dim), mask: a `SegmentMask`, or a padding mask (batch, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of attention heads.
        block_length: B, in positions. A block longer than the sequence is one block.
        memory_length: M, the length of a memory block, in positions; B unless given.
        gap: G, in positions, before the next memory block.
        num_memories: N, the number of memory blocks on each side.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, a length or `num_memories` is not positive, or `gap` is negative.

    Source: Tensor2Tensor's dilated_1d and masked_dilated_1d.
    """

    def __init__(
        self,
        num_heads: int,
        block_length: int = 128,
        memory_length: int | None = None,
        gap: int = 2,
        num_memories: int = 2,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, block_length, key_dim, value_dim, output_dim, dropout, **kwargs)
        if memory_length is not None:
            positive("memory_length", memory_length)
        if gap < 0:
            raise ValueError(f"gap: {gap} is negative. Use 0 for memory blocks without gaps.")
        self.memory_length = memory_length
        self.gap = gap
        self.num_memories = positive("num_memories", num_memories)

    def reach(self) -> tuple[int, int]:
        farthest = self.block_length - 1 + self.num_memories * self._period
        return farthest, farthest

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        start = query // self.block_length * self.block_length
        apart = ops.maximum(start - 1 - key, key - start - self.block_length)
        in_memory = ops.logical_and(apart % self._period >= self.gap, apart // self._period < self.num_memories)
        return ops.logical_or(apart < 0, in_memory)

    @property
    def _period(self) -> int:
        return (self.memory_length or self.block_length) + self.gap
