"""A vector of numbers is one position."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import NumbersEmbedding

VECTORS = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")


def test_a_vector_is_projected_to_one_position():
    layer = check_layer(
        lambda **k: NumbersEmbedding(6, **k),
        VECTORS,
        shape=(2, 1, 6),
        weights={"dense.kernel": (3, 6), "dense.bias": (6,)},
    )
    np.testing.assert_allclose(numbers(forward(layer)(VECTORS))[:, 0], VECTORS @ numbers(layer.dense.kernel), atol=1e-5)
    assert numbers(layer.segments(VECTORS)).tolist() == [[1], [1]]


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="hidden_dim: 0"):
        NumbersEmbedding(0)
