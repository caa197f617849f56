"""A gated convolution is two convolutions, one the gate of the other."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import Cache, DilatedConvolution, GatedConvolution

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 9, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0], [1] * 9], "int32")


@pytest.mark.skipif(ON_JAX, reason="GatedDilatedStack has it, in a check on JAX")
def test_it_is_a_layer_like_any():
    weights = {"kernel": (3, 4, 10), "bias": (10,)}
    make = lambda **o: GatedConvolution(5, kernel_size=3, dilation=2, **o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 9, 5), weights=weights)


def test_one_half_of_the_kernel_is_the_gate():
    layer = GatedConvolution(5, kernel_size=3, dilation=2)
    layer(X, PACKED)
    layer.bias.assign(RANDOM.normal(size=10))
    halves = []
    for here in (slice(0, 5), slice(5, 10)):
        half = DilatedConvolution(5, 3, 2)
        half(X, PACKED)
        half.set_weights([numbers(layer.kernel)[..., here], numbers(layer.bias)[here]])
        halves.append(numbers(half(X, PACKED)))
    wanted = np.tanh(halves[0]) / (1 + np.exp(-halves[1]))
    np.testing.assert_allclose(numbers(layer(X, PACKED)), wanted, atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = GatedConvolution(5, kernel_size=2, dilation=4)
    whole = numbers(layer(X))
    cache = Cache(batch=2, length=9, beams=2)
    layer.start(None, cache)
    for time in range(9):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 2, axis=1), cache=cache))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 2, axis=1), atol=1e-5)
