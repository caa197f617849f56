"""Gates that open and close entirely."""

from __future__ import annotations

import numpy as np
from harness import check_layer, numbers

from kt2t.layers import SaturatingConvolutionalGRU

X = np.random.default_rng(0).normal(size=(2, 7, 6)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: SaturatingConvolutionalGRU(6, 3, **o), X, PACKED, shape=(2, 7, 6))


def test_an_open_gate_keeps_the_state_and_a_closed_one_replaces_it():
    layer = SaturatingConvolutionalGRU(6)
    layer(X)
    layer.update.bias.assign(np.full(6, 20.0))
    np.testing.assert_array_equal(numbers(layer(X, PACKED)), X)
    layer.update.bias.assign(np.full(6, -20.0))
    layer.reset.bias.assign(np.full(6, -20.0))
    np.testing.assert_array_equal(numbers(layer(X, PACKED)), np.zeros_like(X))
