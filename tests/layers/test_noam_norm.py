"""The norm to a fixed length, against the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import NoamNorm

X = (np.random.default_rng(0).normal(size=(2, 3, 8)) * 4 + 2).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: NoamNorm(**k), X, shape=X.shape, weights={})


def test_every_vector_has_the_same_length():
    y = numbers(NoamNorm()(X)).astype("float64")
    np.testing.assert_allclose((y**2).sum(-1), 8, rtol=1e-5)
    np.testing.assert_allclose(
        y / np.sqrt(8), X / np.linalg.norm(X.astype("float64"), axis=-1, keepdims=True), atol=1e-6
    )


def test_a_short_vector_is_divided_by_no_less_than_epsilon():
    np.testing.assert_allclose(numbers(NoamNorm(epsilon=0.25)(np.full((1, 4), 0.1, "float32"))), 0.4, rtol=1e-6)
    assert not numbers(NoamNorm()(0 * X)).any()


def test_an_epsilon_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="epsilon: 0"):
        NoamNorm(epsilon=0.0)
