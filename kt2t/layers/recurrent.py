"""The contract of recurrent layers, and what they share."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.keras_masks import segments_or_mask
from kt2t.ops.recurrence import over_time
from kt2t.options import positive

Tensor = Any


class Recurrent(keras.layers.Layer):
    """Base class of recurrent layers, which reset their state at every example of a packed row.

    W x + b is one product for all positions; only what depends on the state is computed step by step. Padding leaves the
    state unchanged. The state is kept in float32 whatever the dtype policy: rounding to bfloat16 at every step would add
    up. Without segments a padding mask makes one example of each row's real positions.

    A subclass sets `gates` and `parts`, and defines `step`.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, initial (batch, time, state_dim) or None,
        mask (batch, time) boolean or None → states (batch, time, state_dim) float32

    Args:
        units: Width of the output.

    Raises:
        ValueError: `units` is not positive.

    Attributes:
        gates: Width of W x + b in units.
        parts: Width of the state in units. Its last part is the output.
        state_dim: Width of the state.
    """

    gates = 1
    parts = 1

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = positive("units", units)
        self.state_dim = self.parts * units

    def build(self, x_shape: Any, segments_shape: Any = None, initial_shape: Any = None) -> None:
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        width = self.gates * self.units
        self.kernel = self.add_weight(shape=(x_shape[-1], width), initializer=fan_avg, name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, width), initializer=fan_avg, name="recurrent_kernel")
        self.bias = self.add_weight(shape=(width,), initializer=self._first_bias, name="bias")

    def call(
        self, x: Tensor, segments: Tensor | None = None, initial: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        segments = segments_or_mask(x, segments, mask)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        return self._over_time(self.inner(x), segments, initial)

    def step(self, inner: Tensor, state: Tensor) -> Tensor:
        """Computes the next state from the current state and the input's product W x + b.

        Shapes:
            inner (…, gates · units), state (…, state_dim) → (…, state_dim)
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(inner, state).")

    def advance(self, x: Tensor, state: Tensor) -> Tensor:
        """Computes the state after one more position: x (…, dim), state (…, state_dim) → (…, state_dim)."""
        return self.step(self.inner(x), state)

    def inner(self, x: Tensor) -> Tensor:
        """Computes W x + b in float32. If x is narrower than W, it is what the first rows of W belong to."""
        return ops.cast(self._times_kernel(x, 0) + self.bias, "float32")

    def added(self, x: Tensor, row: int) -> Tensor:
        """Computes what x adds to `inner` if it belongs to the rows of W from `row` on."""
        return ops.cast(self._times_kernel(x, row), "float32")

    def output(self, state: Tensor) -> Tensor:
        """Returns the part of a state that is the layer's output: (…, state_dim) → (…, units)."""
        return state[..., -self.units :]

    def compute_output_shape(self, x_shape: Any, segments_shape: Any = None, initial_shape: Any = None) -> Any:
        return (*x_shape[:2], self.state_dim)

    def _over_time(self, inner: Tensor, segments: Tensor, initial: Tensor | None) -> Tensor:
        return over_time(lambda now, state, _: self.step(now, state), inner, segments, self.state_dim, initial)

    def _times_kernel(self, x: Tensor, row: int) -> Tensor:
        return ops.matmul(ops.cast(x, self.compute_dtype), self.kernel[row : row + x.shape[-1]])

    def _first_bias(self, shape: Any, dtype: Any = None) -> Tensor:
        return ops.zeros(shape, dtype=dtype)
