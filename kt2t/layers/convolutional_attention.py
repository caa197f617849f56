"""Attention whose queries come from convolutions, first to the sequence itself and then to a memory."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.attention import Attention
from kt2t.layers.cache import Cache
from kt2t.layers.convolution_block import ConvolutionBlock
from kt2t.layers.memory import Memory
from kt2t.layers.separable_convolution import SeparableConvolution
from kt2t.layers.sequence import Sequence
from kt2t.layers.sinusoidal_positions import SinusoidalPositions
from kt2t.ops.masks import SegmentMask, padding, same_segment
from kt2t.ops.positions import positions
from kt2t.registry import register

Tensor = Any
SIGNAL = 32  # channels with sinusoids: Tensor2Tensor's 16 timescales


@register
class ConvolutionalAttention(Sequence):
    """Adds positions, runs causal sub-separable convolutions, attends to the sequence's own past, then to the memory.

        q = block(x + s),   y = attention(attention(q, q), memory)

    There is no residual connection; the layer that uses this one adds y to x. Only the first 32 channels have sinusoids s.

    Shapes:
        x (batch, time, hidden_dim), segments (batch, time) int32 or None, memory → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x, of the convolutions and of the output.
        num_heads: Number of heads of both attentions.
        dropout: Probability of zeroing an attention weight, in training only.
        parts: `parts` of each convolution, see `SeparableConvolution`; 3 and 2 unless given.
        kernel_size: Number of taps of each convolution. Its dilation is 4 times that of the one before.

    Raises:
        ValueError: `num_heads` or `parts` do not divide `hidden_dim`, a size is not positive, or there is no memory.

    Source: Kaiser et al. 2017 (SliceNet), section 3. Departs: the attention has heads, as in Tensor2Tensor.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int = 8,
        dropout: float = 0.0,
        parts: list[int] | None = None,
        kernel_size: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        steps = [
            SeparableConvolution(hidden_dim, kernel_size, 4**level, use_bias=False, parts=count)
            for level, count in enumerate([3, 2] if parts is None else parts)
        ]
        dtype = self.dtype_policy
        self.positions = SinusoidalPositions(signal_dim=SIGNAL, dtype=dtype)
        self.block = ConvolutionBlock(steps, dtype=dtype)
        self.attention = Attention(num_heads, key_dim=hidden_dim, dropout=dropout, dtype=dtype)
        self.cross_attention = Attention(num_heads, key_dim=hidden_dim, dropout=dropout, dtype=dtype)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None:
            return self._step(x, cache)
        memory = _required(memory)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        q = self.block(self.positions(x, positions(segments)), segments)
        y = self.attention(q, mask=SegmentMask(segments, causal=True), training=training)
        mask = same_segment(segments, memory.segments)
        return self.cross_attention(y, memory=memory.states, mask=mask, training=training)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        memory = _required(memory)
        self.block.start(None, cache.child("block"))
        self.attention.reserve(cache.child("attention"))
        self.cross_attention.remember(memory.states, cache.child("cross_attention"))
        cache.remember("mask", padding(memory.segments))

    def _step(self, x: Tensor, cache: Cache) -> Tensor:
        """Decodes one position of every beam: x (batch, beams, hidden_dim)."""
        q = self.block(self.positions(x, cache.place()), cache=cache.child("block"))
        y = self.attention(q, mask=cache.visible(), cache=cache.child("attention"))
        return self.cross_attention(y, mask=cache.read("mask"), cache=cache.child("cross_attention"))


def _required(memory: Memory | None) -> Memory:
    if memory is None:
        raise ValueError("memory: ConvolutionalAttention attends to a memory, and there is none. Use EncoderDecoder.")
    return memory
