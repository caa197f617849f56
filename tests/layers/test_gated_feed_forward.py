"""Gated feed-forward networks, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import GatedFeedForward

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
KERNELS = {"gate.kernel": (4, 6), "widen.kernel": (4, 6), "narrow.kernel": (6, 4)}
FORMULAS = {
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "relu": lambda u: np.maximum(u, 0),
    "silu": lambda u: u / (1 + np.exp(-u)),
    "linear": lambda u: u,
}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    make = lambda **options: GatedFeedForward(6, dropout=dropout, **options)  # noqa: E731
    check_layer(make, X, shape=X.shape, weights=KERNELS, has_dropout=dropout > 0)


@pytest.mark.parametrize("activation", FORMULAS)
def test_it_is_the_formula(activation):
    layer = GatedFeedForward(6, activation, use_bias=True)
    layer.build(X.shape)
    random = np.random.default_rng(1)
    for part in (layer.gate, layer.widen, layer.narrow):
        part.set_weights([random.normal(size=weight.shape) for weight in part.get_weights()])
    (v, c), (w1, b1), (w2, b2) = (part.get_weights() for part in (layer.gate, layer.widen, layer.narrow))
    wanted = (FORMULAS[activation](X @ v + c) * (X @ w1 + b1)) @ w2 + b2
    np.testing.assert_allclose(numbers(forward(layer)(X)), wanted, rtol=1e-4, atol=1e-5)


def test_what_is_not_real_gets_nothing():
    layer, real = GatedFeedForward(6), np.array([[True, False, True], [False, False, True]])
    np.testing.assert_allclose(numbers(forward(layer)(X, real=real)), numbers(forward(layer)(X)) * real[..., None], atol=1e-6)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="intermediate_dim: 0"):
        GatedFeedForward(0)
    with pytest.raises(ValueError, match="activation: Keras has no 'swish2'"):
        GatedFeedForward(4, "swish2")
