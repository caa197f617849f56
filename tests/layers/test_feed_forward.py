"""The feed-forward network, against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import FeedForward

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
WEIGHTS = {"widen.kernel": (4, 6), "widen.bias": (6,), "narrow.kernel": (6, 4), "narrow.bias": (4,)}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    check_layer(
        lambda **k: FeedForward(6, dropout=dropout, **k), X, shape=X.shape, weights=WEIGHTS, has_dropout=dropout > 0
    )


@pytest.mark.parametrize(("activation", "formula"), [("relu", lambda u: np.maximum(u, 0)), ("tanh", np.tanh)])
def test_it_is_the_formula(activation, formula):
    layer = FeedForward(6, activation=activation)
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    w1, b1, w2, b2 = (rng.normal(size=shape) for shape in WEIGHTS.values())
    layer.widen.set_weights([w1, b1])
    layer.narrow.set_weights([w2, b2])
    np.testing.assert_allclose(numbers(forward(layer)(X)), formula(X @ w1 + b1) @ w2 + b2, rtol=1e-4, atol=1e-5)


def test_kernels_start_uniform_fan_average():
    layer = FeedForward(300)
    layer.build((None, None, 200))
    bound = np.sqrt(6 / 500)
    kernel = numbers(layer.widen.kernel)
    assert np.abs(kernel).max() <= bound and kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="intermediate_dim: 0"):
        FeedForward(0)
    with pytest.raises(ValueError, match="activation: Keras has no 'rely'"):
        FeedForward(4, activation="rely")


def test_what_is_not_real_gets_nothing():
    layer, real = FeedForward(6), np.array([[True, False, True], [False, False, True]])
    np.testing.assert_allclose(numbers(forward(layer)(X, real=real)), numbers(forward(layer)(X)) * real[..., None], atol=1e-6)
