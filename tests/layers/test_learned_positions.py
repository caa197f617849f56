"""The positions added are rows of the table."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import LearnedPositions

X = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: LearnedPositions(4, **k), X, shape=X.shape, weights={"table": (4, 6)})


def test_rows_are_looked_up_and_the_last_serves_all_beyond():
    layer = LearnedPositions(3)
    positions = np.array([[0, 1, 2, 7], [2, 0, 3, 1]], "int32")
    added = numbers(forward(layer)(X, positions)) - X
    np.testing.assert_allclose(added, numbers(layer.table)[np.minimum(positions, 2)], atol=1e-6)


def test_without_positions_they_count_from_zero():
    layer = LearnedPositions(9)
    np.testing.assert_allclose(numbers(forward(layer)(X)) - X, np.stack([numbers(layer.table)[:4]] * 2), atol=1e-6)


def test_a_length_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="max_length: 0"):
        LearnedPositions(0)
