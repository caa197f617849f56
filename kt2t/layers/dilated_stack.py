"""A residual stack of dilated convolutions."""

from __future__ import annotations

from typing import Any, Literal

from kt2t.layers.cache import Cache
from kt2t.layers.convolution_block import ConvolutionBlock
from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.memory import Memory
from kt2t.layers.residual import Residual
from kt2t.layers.sequence import Sequence
from kt2t.options import positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class DilatedStack(Sequence):
    """A stack of residual blocks; the convolutions of a block have growing dilations, so its reach grows fast.

        x ← x + dropout(block(norm(x))),   block: ReLU, convolution and norm for every dilation

    A causal stack reaches num_blocks · (kernel_size - 1) · Σ dilations positions back. While decoding, the cache keeps the
    window of each convolution.

    Shapes:
        x (batch, time, hidden_dim), segments (batch, time) int32 or None → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x and of every convolution.
        num_blocks: Number of residual blocks.
        dilations: Dilations of a block's convolutions; 1, 2, 4 and 8 unless given.
        kernel_size: Number of taps of each convolution.
        padding: causal or same, as in `DilatedConvolution`.
        dropout: Probability of zeroing an element of a block's output, in training only.

    Raises:
        ValueError: A size is not positive, there are no dilations, or the stack gets a memory.

    Source: Kalchbrenner et al. 2016 (ByteNet), sections 3.3 to 3.6. Departs: one residual connection for all dilations, as in
    Tensor2Tensor; the paper has one for each, around a narrower convolution.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_blocks: int = 4,
        dilations: list[int] | None = None,
        kernel_size: int = 3,
        padding: Literal["causal", "same"] = "causal",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        steps = [1, 2, 4, 8] if dilations is None else dilations
        if not steps:
            raise ValueError("dilations: there are none. Give those of a block, such as [1, 2, 4, 8].")
        block = ConvolutionBlock(
            [
                DilatedConvolution(hidden_dim, kernel_size, positive("dilations", dilation), padding, use_bias=False)
                for dilation in steps
            ]
        )
        self.layers = [
            Residual(build(describe(block), dtype=self.dtype_policy.name), "pre", dropout, dtype=self.dtype_policy)
            for _ in range(positive("num_blocks", num_blocks))
        ]

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        for layer in self.layers:
            layer.build(x_shape)
            layer.sublayer.build(x_shape)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        _refuse(memory)
        for level, layer in enumerate(self.layers):
            x = layer(x, segments, cache=cache and cache.child(level), training=training)
        return x

    def start(self, memory: Memory | None, cache: Cache) -> None:
        _refuse(memory)
        for level, layer in enumerate(self.layers):
            layer.sublayer.start(None, cache.child(level))


def _refuse(memory: Memory | None) -> None:
    if memory is not None:
        raise ValueError(
            "memory: DilatedStack reads no memory. Use AlignedDecoder, which puts one beside the sequence."
        )
