"""Gated linear units, against the formula."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import GatedLinearUnit

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def test_it_is_a_layer_like_any_and_the_formula():
    shapes = {"value.kernel": (4, 5), "value.bias": (5,), "gate.kernel": (4, 5), "gate.bias": (5,)}
    layer = check_layer(lambda **o: GatedLinearUnit(5, **o), X, shape=(2, 3, 5), weights=shapes)
    w, b, v, c = layer.get_weights()
    np.testing.assert_allclose(numbers(forward(layer)(X)), (X @ w + b) / (1 + np.exp(-(X @ v + c))), atol=1e-5)


def test_a_width_of_0_is_refused():
    with pytest.raises(ValueError, match="units: 0 is not positive"):
        GatedLinearUnit(0)
