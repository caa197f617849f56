"""The experts as a layer, against each network by itself."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Experts

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(7, 4)).astype("float32")
CHOSEN = np.array([[0, 2], [2, 1], [0, 1], [3, 3], [1, 2], [0, 3], [2, 0]], "int32")
WEIGHTS = RANDOM.uniform(size=(7, 2)).astype("float32")


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    shapes = {"narrow": (3, 6, 4), "widen": (3, 4, 6)}
    make = lambda **options: Experts(3, 6, dropout, **options)  # noqa: E731
    check_layer(make, X, CHOSEN, WEIGHTS, shape=(7, 4), weights=shapes, has_dropout=dropout > 0)


@pytest.mark.parametrize("scaled", [False, True])
def test_it_is_the_formula(scaled):
    layer = Experts(3, 6, scaled=scaled)
    found = numbers(forward(layer)(X, CHOSEN, WEIGHTS))
    widen, narrow = numbers(layer.widen), numbers(layer.narrow)
    wanted = np.zeros_like(X)
    for row, place in np.ndindex(CHOSEN.shape):
        expert = CHOSEN[row, place]
        if expert < 3:
            y = np.maximum(X[row] @ widen[expert], 0) @ narrow[expert]
            wanted[row] += WEIGHTS[row, place] * y * ((4 / 6) ** 0.5 if scaled else 1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_sizes_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="num_experts: 0"):
        Experts(0, 4)
    with pytest.raises(ValueError, match="intermediate_dim: -1"):
        Experts(2, -1)
