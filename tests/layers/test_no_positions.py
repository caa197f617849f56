"""No positions are no change."""

from __future__ import annotations

import numpy as np
from harness import check_layer, numbers

from kt2t.layers import NoPositions

X = np.random.default_rng(0).normal(size=(2, 13, 16)).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: NoPositions(**k), X, shape=X.shape, weights={})


def test_nothing_is_added():
    np.testing.assert_array_equal(numbers(NoPositions()(X)), X)
    np.testing.assert_array_equal(numbers(NoPositions()(X, np.array([[5] * 13]))), X)
