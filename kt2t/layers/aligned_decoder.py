"""A decoder that reads, beside each position, the memory's state at the same position."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.layers.parts import made
from kt2t.layers.sequence import Sequence
from kt2t.ops.positions import positions
from kt2t.ops.segments import first_positions
from kt2t.registry import register

Tensor = Any


@register
class AlignedDecoder(Sequence):
    """Puts the memory's state at the same position of the same example in front of each vector; runs two layers over both.

        y_t = upper(lower([m_t ; x_t]))

    t counts from the start of each example, in the memory too. Beyond the end of the memory, m_t is zero. While decoding, the
    cache holds the memory and the states of both layers.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory → as `upper` returns it

    Args:
        lower: Prototype of the causal `Sequence` that reads [m_t ; x_t].
        upper: Prototype of the causal `Sequence` that reads the output of `lower`.

    Raises:
        ValueError: A part is no layer, or there is no memory.

    Source: Kalchbrenner et al. 2016 (ByteNet), sections 3.1 and 3.2: decoder stacking and dynamic unfolding.
    """

    def __init__(self, lower: Any, upper: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower = made(lower, "lower", self.dtype_policy.name)
        self.upper = made(upper, "upper", self.dtype_policy.name)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each layer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None:
            x = ops.concatenate([self._held(x, cache), x], axis=-1)
            return self.upper(self.lower(x, cache=cache.child("lower")), cache=cache.child("upper"))
        memory = _required(memory)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        x = ops.concatenate([ops.cast(_aligned(memory, segments), self.compute_dtype), x], axis=-1)
        return self.upper(self.lower(x, segments, training=training), segments, training=training)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        memory = _required(memory)
        states = _aligned(memory, ops.ones_like(memory.segments))
        cache.remember("states", ops.cast(states, self.compute_dtype))
        self.lower.start(None, cache.child("lower"))
        self.upper.start(None, cache.child("upper"))

    def _held(self, x: Tensor, cache: Cache) -> Tensor:
        """Returns the memory's state at this step for every beam, (batch, beams, dim)."""
        states, position = cache.read("states"), ops.cast(cache.position, "int32")
        rows = ops.shape(states)[1]
        state = ops.take(states, ops.minimum(position, rows - 1), axis=1)
        state = ops.expand_dims(state * ops.cast(position < rows, state.dtype), 1)
        return ops.broadcast_to(state, (*ops.shape(x)[:2], states.shape[-1]))


def _aligned(memory: Memory, segments: Tensor) -> Tensor:
    """Finds, for each position, the memory's state at the same position of the same example; zeros beyond its end.

    Shapes:
        segments (batch, time) → (batch, time, dim)
    """
    first = first_positions(memory.segments)
    last = ops.shape(memory.segments)[1] - 1
    number = ops.minimum(segments, last + 1)
    place = ops.take_along_axis(first, number, axis=1) + positions(segments)
    place = ops.minimum(place, last + 1)
    around = ops.pad(memory.segments, [[0, 0], [0, 1]], constant_values=-1)
    is_there = ops.logical_and(
        ops.equal(ops.take_along_axis(around, place, axis=1), segments), ops.greater(segments, 0)
    )
    states = ops.take_along_axis(memory.states, ops.expand_dims(ops.minimum(place, last), 2), axis=1)
    return ops.where(ops.expand_dims(is_there, 2), states, ops.zeros_like(states))


def _required(memory: Memory | None) -> Memory:
    if memory is None:
        raise ValueError(
            "memory: AlignedDecoder reads a memory beside its sequence, and there is none. Use EncoderDecoder."
        )
    return memory
