"""The loop over time that recurrent layers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

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
        x (batch, time, dim), segments (batch, time) int32, initial (batch, time, width) or None → (batch, time, width)
    """
    dim = x.shape[-1]
    parts = [ops.cast(x, "float32"), ops.expand_dims(ops.cast(segments, "float32"), 2)]
    if initial is not None:
        parts.append(ops.cast(initial, "float32"))
    # One tensor: in Keras 3.15 a scan over several fails on TensorFlow where the number of steps is not static.
    together = ops.swapaxes(ops.concatenate(parts, axis=2), 0, 1)
    zeros = ops.zeros((ops.shape(x)[0], width), dtype="float32")

    def one(before: tuple[Tensor, Tensor], now: Tensor) -> tuple[Any, Any]:
        state, segment = before
        here, first = now[:, dim : dim + 1], now[:, dim + 1 :]
        begun = ops.where(ops.not_equal(here, segment), zeros if initial is None else first, state)
        after = ops.where(ops.greater(here, 0), step(now[:, :dim], begun, here), state)
        carried = (after, ops.where(ops.greater(here, 0), here, segment))
        return carried, carried

    _, (states, _) = ops.scan(one, (zeros, zeros[:, :1]), together)
    return ops.swapaxes(states, 0, 1)
