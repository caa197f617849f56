"""A dilated convolution against its formula, over packed rows, and step by step."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, DilatedConvolution, Memory

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 9, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0], [1] * 9], "int32")


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int, left: int) -> np.ndarray:
    """The formula, tap by tap, for one example (time, dim)."""
    y = np.tile(bias, (len(x), 1))
    for time in range(len(x)):
        for tap, weights in enumerate(kernel):
            place = time + tap * dilation - left
            if 0 <= place < len(x):
                y[time] += x[place] @ weights
    return y


@pytest.mark.parametrize("padding", ["causal", "same"])
def test_it_is_a_layer_like_any(padding):
    weights = {"kernel": (3, 4, 5), "bias": (5,)}
    check_layer(lambda **o: DilatedConvolution(5, 3, 2, padding, **o), X, PACKED, shape=(2, 9, 5), weights=weights)


@pytest.mark.parametrize(("padding", "kernel_size", "dilation"), [("causal", 3, 4), ("same", 3, 2), ("same", 4, 1)])
def test_it_is_the_formula_within_each_example(padding, kernel_size, dilation):
    layer = DilatedConvolution(5, kernel_size, dilation, padding)
    layer(X, PACKED)
    layer.bias.assign(RANDOM.normal(size=5))
    found = numbers(forward(layer)(X, PACKED))
    reach = (kernel_size - 1) * dilation
    left = reach if padding == "causal" else reach // 2
    for row, number in ((0, 1), (0, 2), (1, 1)):
        here = PACKED[row] == number
        wanted = convolved(X[row, here], numbers(layer.kernel), numbers(layer.bias), dilation, left)
        np.testing.assert_allclose(found[row, here], wanted, atol=1e-5)


def test_causal_reads_nothing_later():
    layer = DilatedConvolution(5, 3, 2)
    changed = X.copy()
    changed[:, 6:] += 1
    np.testing.assert_array_equal(numbers(forward(layer)(X))[:, :6], numbers(forward(layer)(changed))[:, :6])


@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 2), (2, 8), (1, 1)])
def test_one_position_after_another_is_all_at_once(kernel_size, dilation):
    layer = DilatedConvolution(5, kernel_size, dilation)
    whole = numbers(forward(layer)(X))
    cache = Cache(batch=2, length=9, beams=3)
    layer.start(None, cache.child("it"))
    for time in range(9):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)
    assert tuple(cache.child("it").read("window").shape) == (2, 3, (kernel_size - 1) * dilation, 4)


@pytest.mark.parametrize("read", [2, 6])
def test_it_goes_on_behind_a_sequence_that_was_read_before(read):
    """The first row is shorter by one, with its padding in front; the window is longer, or shorter, than what was read."""
    layer = DilatedConvolution(5, 3, 2)
    segments = np.ones((2, 9), "int32")
    segments[0, 0] = 0
    whole = numbers(layer(X, segments))
    cache = Cache(batch=2, length=3, beams=2)
    layer.resume(X[:, :read], segments[:, :read], cache)
    for time in range(3):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, read + time : read + time + 1], 2, axis=1), cache=cache))
        wanted = whole[:, read + time : read + time + 1]
        np.testing.assert_allclose(step, np.repeat(wanted, 2, axis=1), atol=1e-5)


def test_refusals():
    for options, told in [
        ({"filters": 0}, "filters: 0 is not positive"),
        ({"filters": 5, "kernel_size": 0}, "kernel_size: 0 is not positive"),
        ({"filters": 5, "dilation": 0}, "dilation: 0 is not positive"),
        ({"filters": 5, "padding": "left"}, "padding: 'left' is unknown. There are: causal, same"),
    ]:
        with pytest.raises(ValueError, match=told):
            DilatedConvolution(**options)
    with pytest.raises(ValueError, match="padding: 'same' reads later positions"):
        DilatedConvolution(5, padding="same").start(None, Cache(batch=2, length=9))
    with pytest.raises(ValueError, match="memory: DilatedConvolution reads no memory"):
        DilatedConvolution(5)(X, memory=Memory(X, PACKED))
