"""The loop over time that recurrent layers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops
from keras.src import (
    backend,
)  # TensorFlow's XLA cannot differentiate `ops.scan` of Keras 3.15: its loop has no largest length

Tensor = Any
Step = Callable[[Tensor, Tensor, Tensor], Tensor]


def over_time(step: Step, x: Tensor, segments: Tensor, width: int, initial: Tensor | None = None) -> Tensor:
    """Runs a recurrence over time. It starts anew at every example of a packed row; padding leaves the state unchanged.

        s_t = step(x_t, s_t-1),  where s_t-1 is the initial state at the first position of an example

    Everything is in float32.

    Args:
        step: Function of x_t (batch, dim), s_t-1 (batch, width) and the segments at t (batch, 1), which returns s_t.
        x: What the step reads.
        segments: 0 marks padding.
        width: Width of the state.
        initial: The state from which the example of each position starts; zeros if None.

    Shapes:
        x (batch, time, dim), segments (batch, time), initial (batch, time, width) or None → (batch, time, width)
    """
    dim = x.shape[-1]
    marks = ops.stack([ops.cast(segments, "float32"), ops.cast(begins(segments), "float32")], axis=2)
    parts = [ops.cast(x, "float32"), marks]
    if initial is not None:
        parts.append(ops.cast(initial, "float32"))
    zeros = ops.zeros((ops.shape(x)[0], width), dtype="float32")

    def one(now: Tensor, state: Tensor) -> Tensor:
        here, is_first = now[:, dim : dim + 1], now[:, dim + 1 : dim + 2]
        begun = ops.where(ops.greater(is_first, 0), zeros if initial is None else now[:, dim + 2 :], state)
        return ops.where(ops.greater(here, 0), step(now[:, :dim], begun, here), state)

    return loop(one, ops.concatenate(parts, axis=2), zeros)


def loop(step: Callable[[Tensor, Tensor], Tensor], x: Tensor, state: Tensor, backwards: bool = False) -> Tensor:
    """Runs `state = step(x_t, state)` over time, from the last position if `backwards`; returns the states.

    Shapes:
        x (batch, time, dim), state (batch, width) → (batch, time, width)
    """

    def one(now: Tensor, states: Any) -> tuple[Tensor, list[Tensor]]:
        after = step(now, states[0])
        return after, [after]

    found = backend.rnn(one, x, [state], go_backwards=backwards)[1]
    return ops.flip(found, axis=1) if backwards else found


def begins(segments: Tensor) -> Tensor:
    """Marks the first position of every example. Padding inside of an example does not end it.

    Shapes:
        segments (batch, time) → (batch, time) boolean
    """
    real = ops.greater(segments, 0)
    index = ops.expand_dims(ops.arange(ops.shape(segments)[1], dtype="int32"), 0)
    # Sorted, the places of the real positions are a table by their number; padding comes behind them.
    places = ops.sort(ops.where(real, index, ops.shape(segments)[1]), axis=1)
    count = ops.cumsum(ops.cast(real, "int32"), axis=1) - ops.cast(real, "int32")
    last = ops.take_along_axis(places, ops.maximum(count - 1, 0), axis=1)
    last = ops.minimum(last, ops.shape(segments)[1] - 1)  # of a row of padding alone
    before = ops.where(ops.greater(count, 0), ops.take_along_axis(segments, last, axis=1), ops.zeros_like(segments))
    return ops.logical_and(real, ops.not_equal(segments, before))


def states_before(states: Tensor, segments: Tensor, initial: Tensor | None = None) -> Tensor:
    """Returns the state that each step of `over_time` started from, given the states after each."""
    first = ops.zeros_like(states) if initial is None else initial
    before = ops.pad(states[:, :-1], [[0, 0], [1, 0], [0, 0]])
    return ops.where(ops.expand_dims(begins(segments), 2), first, before)
