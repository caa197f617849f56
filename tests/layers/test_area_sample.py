"""The drawn vector of an area: its mean outside training, normal around it in training."""

from __future__ import annotations

import numpy as np
from harness import check_config, forward, numbers

from kt2t.layers import AreaSample
from kt2t.ops import randomness
from kt2t.ops.areas import Sizes

X = np.random.default_rng(0).normal(size=(400, 3, 4)).astype("float32")
X[:] = X[:1]


def test_it_is_the_mean_outside_training():
    layer = AreaSample(seed=1)
    check_config(layer)
    layer.build(X.shape, Sizes(3))
    found = numbers(forward(layer)(X, sizes=Sizes(3)))
    np.testing.assert_allclose(found[:, -1], X.mean(1), atol=1e-5)


def test_it_is_normal_in_training():
    layer = AreaSample(seed=1)
    layer.build(X.shape, Sizes(3))
    found = numbers(forward(layer)(X, sizes=Sizes(3), training=True))[:, -1]
    np.testing.assert_allclose(found.mean(0), X[0].mean(0), atol=0.2)
    np.testing.assert_allclose(found.std(0), X[0].std(0), rtol=0.15)


def test_a_root_repeats_the_draw():
    layer = AreaSample()
    layer.build(X.shape, Sizes(2))
    draws = []
    for step in (3, 3, 4):
        with randomness.root(1, step):
            draws.append(numbers(forward(layer)(X[:2], sizes=Sizes(2), training=True)))
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.abs(draws[0] - draws[2]).max() > 1e-3
