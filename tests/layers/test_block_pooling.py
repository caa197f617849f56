"""Compression of blocks by attention, against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import BlockPooling

X = np.random.default_rng(0).normal(size=(2, 4, 3, 8)).astype("float32")


def test_it_is_a_layer_like_any():
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    check_layer(lambda **o: BlockPooling(2, **o), X, shape=(2, 4, 8), weights=weights)


def test_it_is_the_formula():
    layer = BlockPooling(2, key_dim=4, value_dim=6, output_dim=7)
    found = numbers(forward(layer)(X))
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    for row in range(2):
        for block in range(4):
            heads = []
            for head in range(2):
                q, k, v = (np.split(X[row, block] @ kernel[name], 2, -1)[head] for name in ("query", "key", "value"))
                pairs = np.exp(q @ k.T / np.sqrt(2))
                heads.append((pairs / pairs.sum()).sum(0) @ v)
            wanted = np.concatenate(heads) @ kernel["output_projection"]
            np.testing.assert_allclose(found[row, block], wanted, atol=1e-5)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide key_dim 8"):
        BlockPooling(3)(X)
