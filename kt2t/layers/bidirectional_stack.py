"""Recurrent layers that read a sequence in both directions."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.layers.recurrent_stack import check_is_stack
from kt2t.layers.sequence import Sequence
from kt2t.registry import build, describe, register

Tensor = Any


@register
class BidirectionalStack(Sequence):
    """An encoder of two stacks of recurrent layers: one reads each example from its beginning, the other from its end.

        y_t = [forward_t; backward_t]

    Each stack reads its own lower layers only. With the stack's `returns_state` the output begins with the states of a
    decoder of twice the units: for every layer each part of the state, such as c and h, of both directions side by side.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → (batch, time, 2 · units), or
        (batch, time, 2 · (state_dim + units)) if the stack has `returns_state`

    Args:
        stack: Prototype of the stacks, such as `LSTMStack`.

    Raises:
        ValueError: `stack` is of another kind, or there is a memory to read.

    Source: Schuster and Paliwal 1997; Tensor2Tensor's lstm_seq2seq_bidirectional_encoder.
    """

    can_decode = False

    def __init__(self, stack: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_is_stack(stack)
        node, dtype = describe(stack), self.dtype_policy.name
        self.forward = build(node, dtype=dtype)
        self.backward = build({**node, "reverse": not stack.reverse}, dtype=dtype)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""
        if memory_shape is not None:
            raise ValueError("memory: BidirectionalStack is an encoder and reads none. Use LSTMStack as the decoder.")

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        found = [stack(x, segments, training=training) for stack in (self.forward, self.backward)]
        # Blocks of one unit each: the parts of every layer's state, then the output.
        blocks = [ops.split(one, one.shape[-1] // self.forward.units, axis=-1) for one in found]
        return ops.concatenate([block for pair in zip(*blocks, strict=True) for block in pair], axis=-1)
