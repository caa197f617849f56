"""One probability for all positions of an example."""

from __future__ import annotations

import numpy as np
from harness import numbers
from recurrence_harness import X, dense, prepared, sigmoid

from kt2t.layers import GlobalRecurrence


def test_it_is_the_mean_over_the_example():
    layer = prepared(GlobalRecurrence())
    each = sigmoid(dense(X, layer.halting))[..., 0]
    np.testing.assert_allclose(numbers(layer.probability(X)), np.repeat(each.mean(1, keepdims=True), 3, 1), atol=1e-5)
    segments = np.array([[1, 1, 2], [1, 1, 0]], "int32")
    found = numbers(layer.probability(X, segments))
    np.testing.assert_allclose(found[:, :2], np.repeat(each[:, :2].mean(1, keepdims=True), 2, 1), atol=1e-5)
    np.testing.assert_allclose(found[0, 2], each[0, 2], atol=1e-5)
    assert not layer.can_decode
