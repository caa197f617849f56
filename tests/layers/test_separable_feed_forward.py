"""The feed-forward network of separable convolutions, against loops over positions."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, SeparableFeedForward
from kt2t.ops.masks import SegmentMask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
WEIGHTS = {
    "first_depthwise": (3, 4),
    "narrow.bias": (4,),
    "narrow.kernel": (5, 4),
    "second_depthwise": (4, 5),
    "widen.bias": (5,),
    "widen.kernel": (4, 5),
}


def convolved(x, depthwise, pointwise):
    kernel, bias = pointwise.get_weights()
    mixed = np.zeros_like(x)
    for time in range(len(x)):
        for back, weights in enumerate(np.asarray(depthwise)[::-1]):
            if time >= back:
                mixed[time] += weights * x[time - back]
    return mixed @ kernel + bias


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    make = lambda **options: SeparableFeedForward(5, 3, 4, dropout, **options)  # noqa: E731
    check_layer(make, X, shape=X.shape, weights=WEIGHTS, has_dropout=dropout > 0)


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_formula_for_each_example_and_looks_to_the_left(causal):
    layer = SeparableFeedForward(5, 3, 4)
    found = numbers(forward(layer)(X, mask=SegmentMask(PACKED, causal)))
    for row, start, end in ((0, 0, 2), (0, 2, 5), (1, 0, 6)):
        h = convolved(X[row, start:end], numbers(layer.first_depthwise), layer.widen)
        wanted = convolved(np.maximum(h, 0), numbers(layer.second_depthwise), layer.narrow)
        np.testing.assert_allclose(found[row, start:end], wanted, rtol=1e-4, atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = SeparableFeedForward(5, 3, 4)
    whole = numbers(forward(layer)(X))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="intermediate_dim: 0"):
        SeparableFeedForward(0)
    with pytest.raises(ValueError, match="width: 0"):
        SeparableFeedForward(4, width=0)
