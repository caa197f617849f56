"""A residual stack of sub-separable convolutions, which may attend to a memory."""

from __future__ import annotations

from typing import Any, Literal

from kt2t.layers.cache import Cache
from kt2t.layers.convolution_block import ConvolutionBlock
from kt2t.layers.dropout import Dropout
from kt2t.layers.memory import Memory
from kt2t.layers.parts import made
from kt2t.layers.separable_convolution import SeparableConvolution
from kt2t.layers.sequence import Sequence
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class SubseparableStack(Sequence):
    """A stack of layers of two convolution blocks each, with residual connections, and of attention to a memory.

        y = lower(x),   x ← x + upper(x + y) + y,   x ← x + attention(x, memory);   dropout behind the last layer

    Each block has two convolutions. A stack without an attention takes no memory. If the padding is causal, the stack decodes;
    the cache keeps the windows of the convolutions, and what the attention keeps.

    Shapes:
        x (batch, time, hidden_dim), segments (batch, time) int32 or None, memory or None → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x and of every convolution.
        num_layers: Number of layers.
        kernel_sizes: Number of taps of the four convolutions of a layer; 3, 7, 15 and 31 unless given.
        parts: `parts` of the two convolutions of a block, see `SeparableConvolution`; 3 and 2 unless given.
        padding: causal or same, as in `DilatedConvolution`.
        dropout: Probability of zeroing an element of the output, in training only.
        attention: Prototype of the `Sequence` that attends to a memory, such as `ConvolutionalAttention`; None for none.

    Raises:
        ValueError: A size is not positive, `parts` do not divide `hidden_dim`, there are not four kernels and two parts, or the
            attention is no layer.

    Source: Kaiser et al. 2017 (SliceNet), section 3; the order of the sums is Tensor2Tensor's.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_layers: int = 4,
        kernel_sizes: list[int] | None = None,
        parts: list[int] | None = None,
        padding: Literal["causal", "same"] = "causal",
        dropout: float = 0.0,
        attention: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kernels = [3, 7, 15, 31] if kernel_sizes is None else kernel_sizes
        parts = [3, 2] if parts is None else parts
        if len(kernels) != 4:
            raise ValueError(f"kernel_sizes: {kernels} are not four. Give two for each block, such as [3, 7, 15, 31].")
        if len(parts) != 2:
            raise ValueError(f"parts: {parts} are not two. Give one for each convolution of a block, such as [3, 2].")
        levels = range(positive("num_layers", num_layers))

        def block(sizes: list[int]) -> ConvolutionBlock:
            steps = [
                SeparableConvolution(hidden_dim, size, padding=padding, use_bias=False, parts=count)
                for size, count in zip(sizes, parts, strict=True)
            ]
            return ConvolutionBlock(steps, dtype=self.dtype_policy)

        dtype = self.dtype_policy.name
        self.lower = [block(kernels[:2]) for _ in levels]
        self.upper = [block(kernels[2:]) for _ in levels]
        self.attentions = [] if attention is None else [made(attention, "attention", dtype) for _ in levels]
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        for block in (*self.lower, *self.upper):
            block.build(x_shape)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        self._check(memory)
        for level, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            below = cache and cache.child(level)
            y = lower(x, segments, cache=below and below.child("lower"))
            x = x + upper(x + y, segments, cache=below and below.child("upper")) + y
            for attention in self.attentions[level : level + 1]:
                state = below and below.child("attention")
                x = x + attention(x, segments, memory=memory, cache=state, training=training)
        return self.dropout(x, training=training)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        self._check(memory)
        for level, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            below = cache.child(level)
            lower.start(None, below.child("lower"))
            upper.start(None, below.child("upper"))
            for attention in self.attentions[level : level + 1]:
                attention.start(memory, below.child("attention"))

    def _check(self, memory: Memory | None) -> None:
        if memory is not None and not self.attentions:
            raise ValueError(
                "memory: this stack has no attention to read a memory with. Give it ConvolutionalAttention."
            )
