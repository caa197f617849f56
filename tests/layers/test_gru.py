"""One GRU, against that of Keras, and its segments."""

from __future__ import annotations

import keras
import numpy as np
from harness import check_layer, forward, numbers

from kt2t.layers import GRU

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 3)).astype("float32")
SEGMENTS = np.array([[1, 1, 0, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


def test_it_is_a_layer_like_any():
    weights = {"kernel": (3, 12), "recurrent_kernel": (4, 12), "bias": (12,)}
    check_layer(lambda **o: GRU(4, **o), X, SEGMENTS, shape=(2, 6, 4), weights=weights, bfloat16=False)


def test_it_is_the_gru_of_keras_for_each_example():
    layer, theirs = GRU(4), keras.layers.GRU(4, reset_after=False, return_sequences=True)
    layer.build(X.shape)
    layer.bias.assign(RANDOM.normal(size=12))
    theirs.build(X.shape)
    for one, other in zip(theirs.weights, layer.weights, strict=True):
        one.assign(other)
    found = numbers(forward(layer)(X, SEGMENTS))
    for row, first, end in ((0, 0, 2), (0, 3, 5), (1, 0, 6)):
        alone = numbers(theirs(X[row : row + 1, first:end]))
        np.testing.assert_allclose(found[row : row + 1, first:end], alone, atol=1e-5)
    np.testing.assert_array_equal(found[0, 2], found[0, 1])


def test_one_position_after_another_is_all_at_once_from_any_state():
    layer, state = GRU(4), RANDOM.normal(size=(2, 4)).astype("float32")
    initial = np.repeat(state[:, None], 6, axis=1)
    whole = numbers(forward(layer)(X, np.ones((2, 6), "int32"), initial))
    for time in range(6):
        state = numbers(layer.advance(X[:, time], state))
        np.testing.assert_allclose(state, whole[:, time], atol=1e-5)
