"""An LSTM that starts anew at every example of a packed row."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.keras_masks import segments_or_mask
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class LSTM(keras.layers.Layer):
    """An LSTM layer that resets its state at every example of a packed row; padding leaves the state unchanged.

        i, f, g, o = W x_t + R h_t-1 + b
        c_t = σ(f) c_t-1 + σ(i) tanh(g),   h_t = σ(o) tanh(c_t)

    W x is one product for all positions; only R h is computed step by step. The bias of the forget gate starts at 1.
    The state is kept in float32 whatever the dtype policy: rounding to bfloat16 at every step would add up.

    Without segments a padding mask makes one example of each row's real positions.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, initial (batch, time, 2 · units) or None,
        mask (batch, time) boolean or None → states (batch, time, 2 · units) float32: c, then h

    Args:
        units: Width of the state.

    Raises:
        ValueError: `units` is not positive.

    Source: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; the bias is that of Jozefowicz
    et al. 2015.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = positive("units", units)

    def build(self, x_shape: Any, segments_shape: Any = None, initial_shape: Any = None) -> None:
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        self.kernel = self.add_weight(shape=(x_shape[-1], 4 * self.units), initializer=fan_avg, name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, 4 * self.units), initializer=fan_avg, name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(4 * self.units,), initializer=self._first_bias, name="bias")

    def call(
        self, x: Tensor, segments: Tensor | None = None, initial: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        segments = segments_or_mask(x, segments, mask)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        parts = [self._inner(x), ops.expand_dims(ops.cast(segments, "float32"), 2)]
        if initial is not None:
            parts.append(ops.cast(initial, "float32"))
        # One tensor: in Keras 3.15 a scan over several fails on TensorFlow where the number of steps is not static.
        together = ops.swapaxes(ops.concatenate(parts, axis=2), 0, 1)
        zeros = ops.zeros_like(together[0, :, : 2 * self.units])

        def one(before: tuple[Tensor, Tensor], now: Tensor) -> tuple[Any, Any]:
            state, segment = before
            inner, here, first = now[:, : 4 * self.units], now[:, 4 * self.units :][:, :1], now[:, 4 * self.units + 1 :]
            begun = ops.where(ops.not_equal(here, segment), zeros if initial is None else first, state)
            after = ops.where(ops.greater(here, 0), self.step(inner, begun), state)
            carried = (after, ops.where(ops.greater(here, 0), here, segment))
            return carried, carried

        _, (states, _) = ops.scan(one, (zeros, zeros[:, :1]), together)
        return ops.swapaxes(states, 0, 1)

    def step(self, inner: Tensor, state: Tensor) -> Tensor:
        """Computes the next state from the current state and the input's product W x + b.

        Shapes:
            inner (…, 4 · units): W x + b, state (…, 2 · units) → (…, 2 · units)
        """
        c, h = ops.split(state, 2, axis=-1)
        recurrent = ops.matmul(ops.cast(h, self.compute_dtype), self.recurrent_kernel)
        i, f, g, o = ops.split(inner + ops.cast(recurrent, "float32"), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.concatenate([c, ops.sigmoid(o) * ops.tanh(c)], axis=-1)

    def advance(self, x: Tensor, state: Tensor) -> Tensor:
        """Computes the state after one more position: x (…, dim), state (…, 2 · units) → (…, 2 · units)."""
        return self.step(self._inner(x), state)

    def _inner(self, x: Tensor) -> Tensor:
        """Computes W x + b; returns it in float32."""
        return ops.cast(ops.matmul(ops.cast(x, self.compute_dtype), self.kernel) + self.bias, "float32")

    def compute_output_shape(self, x_shape: Any, segments_shape: Any = None, initial_shape: Any = None) -> Any:
        return (*x_shape[:2], 2 * self.units)

    def _first_bias(self, shape: Any, dtype: Any = None) -> Tensor:
        zeros = ops.zeros((self.units,), dtype=dtype)
        return ops.concatenate([zeros, zeros + 1, zeros, zeros])
