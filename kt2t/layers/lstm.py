"""An LSTM that starts anew at every example of a packed row."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.recurrent import Recurrent
from kt2t.ops.lstm_recurrence import lstm_over_time, lstm_step
from kt2t.registry import register

Tensor = Any


@register
class LSTM(Recurrent):
    """An LSTM layer that resets its state at every example of a packed row; padding leaves the state unchanged.

        i, f, g, o = W x_t + R h_t-1 + b
        c_t = σ(f) c_t-1 + σ(i) tanh(g),   h_t = σ(o) tanh(c_t)

    The bias of the forget gate starts at 1. `Recurrent` says what all recurrent layers share.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, initial (batch, time, 2 · units) or None,
        mask (batch, time) boolean or None → states (batch, time, 2 · units) float32: c, then h

    Args:
        units: Width of the output.

    Raises:
        ValueError: `units` is not positive.

    Source: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; the bias is that of Jozefowicz
    et al. 2015.
    """

    gates = 4
    parts = 2

    def step(self, inner: Tensor, state: Tensor) -> Tensor:
        return lstm_step(inner, state, ops.cast(self.recurrent_kernel, self.compute_dtype))

    def _over_time(self, inner: Tensor, segments: Tensor, initial: Tensor | None) -> Tensor:
        return lstm_over_time(inner, ops.cast(self.recurrent_kernel, self.compute_dtype), segments, initial)

    def _first_bias(self, shape: Any, dtype: Any = None) -> Tensor:
        zeros = ops.zeros((self.units,), dtype=dtype)
        return ops.concatenate([zeros, zeros + 1, zeros, zeros])
