"""The feed-forward network of convolutions, against loops over positions."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, ConvolutionalFeedForward
from kt2t.ops.masks import SegmentMask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
WEIGHTS = {"first.kernel": (12, 5), "first.bias": (5,), "second.kernel": (10, 4), "second.bias": (4,)}


def made(**options):
    layer = ConvolutionalFeedForward(5, 3, 2, **options)
    layer.build(X.shape)
    layer.first.set_weights([RANDOM.normal(size=shape) for shape in ((12, 5), (5,))])
    layer.second.set_weights([RANDOM.normal(size=shape) for shape in ((10, 4), (4,))])
    return layer


def convolved(x, dense, width, causal, first_is_own):
    kernel, bias = dense.get_weights()
    left = width - 1 if causal else (width - 1) // 2
    y = np.tile(bias, (len(x), 1))
    for time in range(len(x)):
        for place, matrix in enumerate(kernel.reshape(width, -1, len(bias))):
            other = time if first_is_own and place == 0 else time + place - left
            if 0 <= other < len(x):
                y[time] += x[other] @ matrix
    return y / np.sqrt(width)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    make = lambda **options: ConvolutionalFeedForward(5, 3, 2, dropout, **options)  # noqa: E731
    check_layer(make, X, shape=X.shape, weights=WEIGHTS, has_dropout=dropout > 0)


@pytest.mark.parametrize("first_is_own", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_formula_for_each_example(causal, first_is_own):
    layer = made(first_is_own=first_is_own)
    found = numbers(forward(layer)(X, mask=SegmentMask(PACKED, causal)))
    for row, start, end in ((0, 0, 2), (0, 2, 5), (1, 0, 6)):
        h = np.maximum(convolved(X[row, start:end], layer.first, 3, causal, first_is_own), 0)
        wanted = convolved(h, layer.second, 2, causal, first_is_own)
        np.testing.assert_allclose(found[row, start:end], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("first_is_own", [False, True])
def test_one_position_after_another_is_all_at_once(first_is_own):
    layer = made(first_is_own=first_is_own)
    whole = numbers(forward(layer)(X, mask=SegmentMask(np.ones((2, 6), "int32"), causal=True)))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_the_cache_is_bounded_by_the_windows():
    sizes = []
    for length in (4, 400):
        cache = Cache(batch=1, length=length)
        made().start(cache.child("it"))
        sizes.append(sum(int(np.prod(value.shape)) for value in cache.flat().values()))
    assert sizes == [2 * 4 + 1 * 5] * 2


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="intermediate_dim: 0"):
        ConvolutionalFeedForward(0)
    with pytest.raises(ValueError, match="second_width: 0"):
        ConvolutionalFeedForward(4, second_width=0)
