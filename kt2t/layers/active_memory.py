"""A memory that is updated as a whole, once for each position of the example."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.convolutional_gru import ConvolutionalGRU
from kt2t.layers.dropout import Dropout
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.ops.positions import positions, positions_from_end
from kt2t.ops.randomness import in_turn
from kt2t.options import positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class ActiveMemory(Sequence):
    """Applies the same convolutional GRUs again and again: as many times as an example has positions.

        s_0 = x,   s_t = unit_m(… unit_1(dropout(s_t-1)) …),   y = s_n       n: the length of the example

    All positions are updated at each step, and a step reaches only their neighbours, so an example of n positions needs about
    n steps. The state is kept in float32 whatever the dtype policy. It cannot decode step by step.

    The loss of hard activations (see `DiagonalConvolutionalGRU`) is the mean over steps and real positions, and over units.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, dim), 0 in padding if x is

    Args:
        unit: Prototype of a `ConvolutionalGRU` of width dim, with "same" padding.
        num_layers: Number of units in a step.
        dropout: Probability of zeroing an element of the state before each step, in training only.
        include_padding: Whether the padding behind an example is room for its state, as in Tensor2Tensor. Each row must then
            hold one example, and the output depends on the padded width of the batch.

    Raises:
        ValueError: `num_layers` is not positive, `unit` is no convolutional GRU or is causal, the layer gets a memory, or it is
            asked to decode.

    Source: Kaiser and Sutskever 2016, section 2; the name is Kaiser and Bengio's, 2016.
    """

    def __init__(
        self, unit: Any, num_layers: int = 1, dropout: float = 0.0, include_padding: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(unit, ConvolutionalGRU):
            kind = type(unit).__name__
            raise ValueError(f"unit: {kind} is no convolutional GRU. Use SaturatingConvolutionalGRU, for example.")
        if unit.reset.padding != "same":
            raise ValueError(
                f"unit: its padding is {unit.reset.padding!r}, and state must move both ways. Choose same."
            )
        count = positive("num_layers", num_layers)
        self.units = [build(describe(unit), dtype=self.dtype_policy.name) for _ in range(count)]
        self.dropout = Dropout(dropout, dtype="float32")
        self.include_padding = include_padding
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        for unit in self.units:
            unit.build(x_shape)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if memory is not None:
            raise ValueError("memory: ActiveMemory reads no memory. Join it to the sequence outside the layer.")
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        steps, real = _lengths(segments), ops.greater(segments, 0)
        if self.include_padding:
            steps = ops.broadcast_to(ops.sum(ops.cast(real, "int32"), axis=1, keepdims=True), ops.shape(steps))
        within = None if self.include_padding else segments

        def step(number: Tensor, before: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            state, total = before
            after, beyond = self._step(state, within, training)
            goes_on = ops.less(ops.cast(number, "int32"), steps)
            return ops.where(ops.expand_dims(goes_on, 2), after, state), total + ops.where(goes_on, beyond, 0.0)

        first = ops.cast(x, "float32")
        turn = in_turn(step, self.seed_generator if training else None)
        state, total = ops.fori_loop(0, ops.shape(x)[1], turn, (first, ops.zeros_like(first[..., 0])))
        if self.units[0].saturation_weight:
            each = ops.where(real, total / ops.cast(ops.maximum(steps, 1), "float32"), 0.0)
            mean = ops.sum(each) / ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)
            self.add_loss(self.units[0].saturation_weight * mean / len(self.units))
        return ops.cast(state, self.compute_dtype)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        raise ValueError("ActiveMemory updates all positions at once, so it cannot decode step by step. Use NeuralGPU.")

    def _step(self, state: Tensor, segments: Tensor | None, training: bool | None) -> tuple[Tensor, Tensor]:
        state, total = self.dropout(state, training=training), 0.0
        for unit in self.units:
            state, beyond = unit.advance(state, segments, training=training)
            total = total + beyond
        return state, total


def _lengths(segments: Tensor) -> Tensor:
    """Returns the length of the example at each position; 0 in padding."""
    length = positions(segments) + positions_from_end(segments) + 1
    return ops.where(ops.greater(segments, 0), length, 0)
