"""One LSTM, against its equations in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import LSTM

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 3)).astype("float32")
SEGMENTS = np.array([[1, 1, 0, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(layer, x, segments, initial=None):
    kernel, recurrent, bias = (
        numbers(one).astype("float64") for one in (layer.kernel, layer.recurrent_kernel, layer.bias)
    )
    units = len(recurrent)
    states = np.zeros((*x.shape[:2], 2 * units))
    for row in range(len(x)):
        c = h = np.zeros(units)
        segment = 0
        for time in range(x.shape[1]):
            if segments[row, time] > 0:
                if segments[row, time] != segment:
                    c, h = (np.zeros(units),) * 2 if initial is None else np.split(initial[row, time], 2)
                i, f, g, o = np.split(x[row, time] @ kernel + h @ recurrent + bias, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
                segment = segments[row, time]
            states[row, time] = np.concatenate([c, h])
    return states


def test_it_is_a_layer_like_any():
    weights = {"kernel": (3, 16), "recurrent_kernel": (4, 16), "bias": (16,)}
    check_layer(lambda **o: LSTM(4, **o), X, SEGMENTS, shape=(2, 6, 8), weights=weights, bfloat16=False)


@pytest.mark.parametrize("begins", [False, True])
def test_it_is_the_formula(begins):
    layer = LSTM(4)
    layer.build(X.shape)
    layer.bias.assign(RANDOM.normal(size=16))
    initial = RANDOM.normal(size=(2, 6, 8)).astype("float32") if begins else None
    found = numbers(forward(layer)(X, SEGMENTS, initial))
    np.testing.assert_allclose(found, by_hand(layer, X, SEGMENTS, initial), atol=1e-5)


def test_the_forget_gate_starts_open():
    layer = LSTM(2)
    layer.build((None, None, 3))
    assert numbers(layer.bias).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_one_position_after_another_is_all_at_once():
    layer, state = LSTM(4), np.zeros((2, 8), "float32")
    whole = numbers(forward(layer)(X, np.ones((2, 6), "int32")))
    for time in range(6):
        state = numbers(layer.advance(X[:, time], state))
        np.testing.assert_allclose(state, whole[:, time], atol=1e-5)


def test_under_bfloat16_the_state_stays_in_float32():
    layer = LSTM(4, dtype="mixed_bfloat16")
    assert str(numbers(forward(layer)(X, SEGMENTS)).dtype) == "float32"
    exact = LSTM(4)
    exact.build(X.shape)
    for one, other in zip(exact.weights, layer.weights, strict=True):
        one.assign(other)
    np.testing.assert_allclose(numbers(forward(layer)(X, SEGMENTS)), numbers(exact(X, SEGMENTS)), atol=0.03)


def test_units_are_positive():
    with pytest.raises(ValueError, match="units: 0 is not positive"):
        LSTM(0)
