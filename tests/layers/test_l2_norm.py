"""The norm to unit length, against the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import L2Norm

X = (np.random.default_rng(0).normal(size=(2, 3, 8)) * 4 + 2).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: L2Norm(**k), X, shape=X.shape, weights={"scale": (8,), "shift": (8,)})


def test_the_centred_vector_has_length_one():
    layer = L2Norm(epsilon=0.5)
    layer.build(X.shape)
    scale, shift = np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8)
    layer.scale.assign(scale)
    layer.shift.assign(shift)
    centred = X.astype("float64") - X.astype("float64").mean(-1, keepdims=True)
    length = np.sqrt((centred**2).sum(-1, keepdims=True) + 0.5)
    np.testing.assert_allclose(numbers(forward(layer)(X)), centred / length * scale + shift, atol=1e-5)


def test_an_epsilon_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="epsilon: -1"):
        L2Norm(epsilon=-1.0)
