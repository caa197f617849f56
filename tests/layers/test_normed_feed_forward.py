"""The feed-forward network with a norm inside, against the formula."""

from __future__ import annotations

import numpy as np
from harness import check_layer, forward, numbers

from kt2t.layers import L2Norm, NormedFeedForward

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def test_it_is_a_layer_like_any_and_the_formula():
    layer = check_layer(lambda **o: NormedFeedForward(6, "silu", **o), X, shape=X.shape)
    layer.norm.scale.assign(np.linspace(0.5, 2, 6))
    layer.norm.shift.assign(np.linspace(-1, 1, 6))
    (w, b), (v, c) = layer.widen.get_weights(), layer.narrow.get_weights()
    h = X @ w + b
    h = h / (1 + np.exp(-h))
    h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-6)
    wanted = (h * np.linspace(0.5, 2, 6) + np.linspace(-1, 1, 6)) @ v + c
    np.testing.assert_allclose(numbers(forward(layer)(X)), wanted, atol=1e-4)
    real = np.array([[True, True, False], [True, False, False]])
    np.testing.assert_allclose(numbers(forward(layer)(X, real=real)), wanted * real[..., None], atol=1e-4)


def test_another_norm_is_handed_in():
    assert type(NormedFeedForward(6, normalization=L2Norm()).norm) is L2Norm
