"""The loop of an LSTM over time, with a gradient that leaves the products over all positions to the end."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.ops.recurrence import begins, loop, over_time, states_before

Tensor = Any


def lstm_step(inner: Tensor, state: Tensor, kernel: Tensor) -> Tensor:
    """Computes the next state, c then h, from W x + b and the current one; `kernel` is R.

        i, f, g, o = inner + h R,   c = σ(f) c + σ(i) tanh(g),   h = σ(o) tanh(c)

    Shapes:
        inner (…, 4 · units) float32, state (…, 2 · units) float32, kernel (units, 4 · units) → (…, 2 · units)
    """
    c, h = ops.split(state, 2, axis=-1)
    i, f, g, o = ops.split(inner + _product(h, kernel), 4, axis=-1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.concatenate([c, ops.sigmoid(o) * ops.tanh(c)], axis=-1)


def lstm_over_time(inner: Tensor, kernel: Tensor, segments: Tensor, initial: Tensor | None = None) -> Tensor:
    """Runs `lstm_step` over time; see `over_time` for segments and initial states.

    The backward loop has one product a step. The gradient of `kernel` is one product over all positions afterwards; as
    automatic differentiation has it, it would be added up step by step, which reads and writes a tensor of the kernel's
    size at each.

    Shapes:
        inner (batch, time, 4 · units) float32, kernel (units, 4 · units), segments (batch, time) int32, initial (batch,
        time, 2 · units) or None → (batch, time, 2 · units)
    """
    width = 2 * kernel.shape[0]
    segments = ops.cast(segments, "float32")
    if initial is None:
        initial = ops.zeros((*ops.shape(segments), 0), dtype="float32")

    @ops.custom_gradient
    def run(inner: Tensor, kernel: Tensor, initial: Tensor, segments: Tensor) -> Any:
        first = initial if initial.shape[-1] else None
        states = over_time(lambda now, state, _: lstm_step(now, state, kernel), inner, segments, width, first)

        def gradient(*upstream: Any, **_: Any) -> tuple[Tensor, ...]:
            (by_states,) = upstream[0] if isinstance(upstream[0], tuple | list) else upstream
            before = states_before(states, segments, first)
            by_gates, by_before = _backward(inner, kernel, states, before, by_states, segments)
            h = ops.cast(before[..., width // 2 :], kernel.dtype)
            by_kernel = ops.matmul(_flat(h, transposed=True), _flat(ops.cast(by_gates, kernel.dtype)))
            is_first = ops.expand_dims(begins(segments), 2)
            by_initial = ops.zeros_like(initial) if first is None else ops.where(is_first, by_before, 0.0)
            return by_gates, by_kernel, by_initial, ops.zeros_like(segments)

        return states, gradient

    found: Tensor = run(inner, kernel, initial, segments)
    return found


def _backward(
    inner: Tensor, kernel: Tensor, states: Tensor, before: Tensor, by_states: Tensor, segments: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the gradients by the gates (batch, time, 4 · units) and by the state before each position."""
    units = kernel.shape[0]
    c_before, h_before = ops.split(before, 2, axis=-1)
    i, f, g, o = ops.split(inner + _product(h_before, kernel), 4, axis=-1)
    i, f, g, o, c = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o), ops.tanh(states[..., :units])
    # What the gradient by c, and that by h, are multiplied with: for c itself, then i, f and g, then o.
    factors = [o * (1 - c * c), f, g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g), c * o * (1 - o)]
    real = ops.expand_dims(ops.cast(ops.greater(segments, 0), "float32"), 2)
    ends = ops.expand_dims(ops.pad(ops.cast(begins(segments)[:, 1:], "float32"), [[0, 0], [0, 1]]), 2)
    together = ops.concatenate([by_states, *factors, real, ends], axis=-1)
    zeros = ops.zeros((ops.shape(inner)[0], 6 * units), dtype="float32")
    turned = ops.transpose(kernel)

    def one(now: Tensor, after: Tensor) -> Tensor:
        sizes = [2, 3, 4, 7, 8]
        given, by_c_of_h, forget, by_gates_of_c, by_o, marks = ops.split(now, [units * size for size in sizes], axis=-1)
        real, ends = marks[:, :1], marks[:, 1:]
        by_state = given + ops.where(ops.greater(ends, 0), 0.0, after[:, : 2 * units])
        by_c, by_h = ops.split(by_state, 2, axis=-1)
        by_c = by_c + by_h * by_c_of_h
        by_gates = ops.concatenate([ops.concatenate([by_c] * 3, axis=-1) * by_gates_of_c, by_h * by_o], axis=-1)
        by_before = ops.concatenate([by_c * forget, _product(by_gates, turned)], axis=-1)
        by_before = ops.where(ops.greater(real, 0), by_before, by_state)
        return ops.concatenate([by_before, by_gates * real], axis=-1)

    found = loop(one, together, zeros, backwards=True)
    return found[..., 2 * units :], found[..., : 2 * units]


def _product(x: Tensor, kernel: Tensor) -> Tensor:
    """Computes x · kernel in the dtype of the kernel; returns it in float32."""
    return ops.cast(ops.matmul(ops.cast(x, kernel.dtype), kernel), "float32")


def _flat(x: Tensor, transposed: bool = False) -> Tensor:
    flat = ops.reshape(x, (-1, x.shape[-1]))
    return ops.transpose(flat) if transposed else flat
