"""Convolutions over time on top of one another, each between a ReLU and a norm."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.layer_norm import LayerNorm
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.registry import build, describe, register

Tensor = Any


@register
class ConvolutionBlock(Sequence):
    """Runs convolutions over time one after another; a ReLU stands before each and a norm behind it.

        y ← norm_k(C_k * relu(y)) for every convolution C_k,   y = x at first

    Each convolution stays within its example. If all are causal, the block decodes; the cache keeps the window of each.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, filters of the last convolution)

    Args:
        convolutions: Prototypes of the convolutions, such as `DilatedConvolution` or `SeparableConvolution`.

    Raises:
        ValueError: There are none, or one is not a convolution over time; or the block gets a memory.

    Source: Kalchbrenner et al. 2016 (ByteNet), section 3.6; Kaiser et al. 2017 (SliceNet), section 3. The norm behind the
    convolution is Tensor2Tensor's.
    """

    def __init__(self, convolutions: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not convolutions or not all(isinstance(one, DilatedConvolution) for one in convolutions):
            raise ValueError("convolutions: there must be at least one, each a DilatedConvolution or a kind of it.")
        dtype = self.dtype_policy.name
        self.convolutions = [build(describe(one), dtype=dtype) for one in convolutions]
        self.norms = [LayerNorm(dtype=self.dtype_policy) for _ in convolutions]

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        shape = tuple(x_shape)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build(shape)
            shape = (*shape[:-1], convolution.filters)
            norm.build(shape)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        _refuse(memory)
        for level, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(ops.relu(x), segments, cache=cache and cache.child(level)))
        return x

    def start(self, memory: Memory | None, cache: Cache) -> None:
        _refuse(memory)
        for level, convolution in enumerate(self.convolutions):
            convolution.start(None, cache.child(level))

    def compute_output_shape(self, x_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        return (*x_shape[:-1], self.convolutions[-1].filters)


def _refuse(memory: Memory | None) -> None:
    if memory is not None:
        raise ValueError("memory: ConvolutionBlock reads no memory. Join it to the sequence outside the block.")
