"""A decoder that first asks a memory, and then reads the answers beside its sequence."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.layers.parts import made
from kt2t.layers.sequence import Sequence
from kt2t.registry import register

Tensor = Any


@register
class AttendingDecoder(Sequence):
    """Attends to a memory, joins the result to the sequence, and runs a stack that may attend to the memory again.

        y = upper(lower([attention(x, memory) ; x]), memory)

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory → as `upper` returns it

    Args:
        attention: Prototype of the `Sequence` that attends to the memory, such as `ConvolutionalAttention`.
        lower: Prototype of the causal `Sequence` that reads [attention ; x].
        upper: Prototype of the causal `Sequence` that reads the output of `lower`, and the memory.

    Raises:
        ValueError: A part is no layer.

    Source: Kaiser et al. 2017 (SliceNet), section 3.
    """

    def __init__(self, attention: Any, lower: Any, upper: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy.name
        self.attention = made(attention, "attention", dtype)
        self.lower = made(lower, "lower", dtype)
        self.upper = made(upper, "upper", dtype)

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
        below = {name: cache and cache.child(name) for name in ("attention", "lower", "upper")}
        found = self.attention(x, segments, memory=memory, cache=below["attention"], training=training)
        x = self.lower(ops.concatenate([found, x], axis=-1), segments, cache=below["lower"], training=training)
        return self.upper(x, segments, memory=memory, cache=below["upper"], training=training)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        self.attention.start(memory, cache.child("attention"))
        self.lower.start(None, cache.child("lower"))
        self.upper.start(memory, cache.child("upper"))
