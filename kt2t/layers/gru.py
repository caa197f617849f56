"""A GRU that starts anew at every example of a packed row."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.recurrent import Recurrent
from kt2t.registry import register

Tensor = Any


@register
class GRU(Recurrent):
    """A GRU layer that resets its state at every example of a packed row; padding leaves the state unchanged.

        z, r = σ(W x_t + R h_t-1 + b),   g = tanh(W_g x_t + R_g (r h_t-1) + b_g)
        h_t = z h_t-1 + (1 - z) g

    `Recurrent` says what all recurrent layers share.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, initial (batch, time, units) or None,
        mask (batch, time) boolean or None → h (batch, time, units) float32

    Args:
        units: Width of the state.

    Raises:
        ValueError: `units` is not positive.

    Source: Cho et al. 2014, section 2.3; the same numbers as `keras.layers.GRU(reset_after=False)`.
    """

    gates = 3

    def step(self, inner: Tensor, state: Tensor) -> Tensor:
        gates, candidate = inner[..., : 2 * self.units], inner[..., 2 * self.units :]
        z, r = ops.split(ops.sigmoid(gates + self._recurrent(state, 0, 2)), 2, axis=-1)
        g = ops.tanh(candidate + self._recurrent(r * state, 2, 3))
        return z * state + (1 - z) * g

    def _recurrent(self, h: Tensor, first: int, end: int) -> Tensor:
        """Computes the product of h and the columns of R that belong to the gates from `first` to `end`."""
        columns = self.recurrent_kernel[:, first * self.units : end * self.units]
        return ops.cast(ops.matmul(ops.cast(h, self.compute_dtype), columns), "float32")
