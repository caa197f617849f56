"""The layer against its formula in NumPy."""

from __future__ import annotations

import numpy as np
from harness import check_layer, forward, numbers

from kt2t.layers import LuongAttention

RANDOM = np.random.default_rng(0)
QUERY = RANDOM.normal(size=(2, 3, 4)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 5, 6)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)


def test_it_is_a_layer_like_any():
    weights = {"memory_projection.kernel": (6, 4), "output_projection.kernel": (10, 6)}
    check_layer(lambda **o: LuongAttention(2, 3, **o), QUERY, MEMORY, MASK, shape=(2, 3, 6), weights=weights)


def test_it_is_the_formula():
    layer = LuongAttention(2, 3)
    found = numbers(forward(layer)(QUERY, MEMORY, MASK))
    scores = QUERY @ numbers(layer.memory_projection.kernel).T @ MEMORY.transpose(0, 2, 1)
    weights = np.exp(scores) * MASK[:, None]
    means = weights / weights.sum(-1, keepdims=True) @ MEMORY
    wanted = np.concatenate([QUERY, means], axis=-1) @ numbers(layer.output_projection.kernel)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
