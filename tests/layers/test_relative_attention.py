"""Relative attention, against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, RelativeAttention

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
CAUSAL = np.tril(np.ones((1, 5, 5), bool))


def attended(layer, x, mask):
    """Equations 3 and 4, pair by pair."""
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    near, far = numbers(layer.key_distances), numbers(layer.value_distances)
    heads, limit = layer.num_heads, layer.max_distance
    out = []
    for row in x:
        parts = []
        for head in range(heads):
            q, k, v = (np.split(row @ kernel[name], heads, axis=-1)[head] for name in ("query", "key", "value"))
            means = np.zeros((len(row), v.shape[-1]))
            for i in range(len(row)):
                seen = [j for j in range(len(row)) if mask[0, i, j]]
                distances = [min(max(j - i, -limit), limit) + limit for j in seen]
                pairs = list(zip(seen, distances, strict=True))
                weights = np.exp([q[i] @ (k[j] + near[c]) / np.sqrt(len(q[i])) for j, c in pairs])
                for weight, (j, c) in zip(weights / weights.sum(), pairs, strict=True):
                    means[i] += weight * (v[j] + far[c])
            parts.append(means)
        out.append(np.concatenate(parts, -1) @ kernel["output_projection"])
    return np.stack(out)


def test_it_is_a_layer_like_any():
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    weights |= {"key_distances": (7, 4), "value_distances": (7, 4)}
    check_layer(
        lambda **o: RelativeAttention(2, 3, dropout=0.5, **o), X, shape=(2, 5, 8), weights=weights, has_dropout=True
    )


@pytest.mark.parametrize("max_distance", [1, 2, 4, 9])
@pytest.mark.parametrize("mask", [CAUSAL, np.ones((1, 5, 5), bool)], ids=["causal", "all"])
def test_it_is_the_formula(max_distance, mask):
    layer = RelativeAttention(2, max_distance, key_dim=4, value_dim=6)
    found = numbers(forward(layer)(X, mask=mask))
    np.testing.assert_allclose(found, attended(layer, X, mask), atol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_one_position_after_another_is_all_at_once(beams):
    layer = RelativeAttention(2, 2, value_dim=4)
    whole = numbers(forward(layer)(X, mask=CAUSAL))
    cache = Cache(batch=2, length=7, beams=beams)
    layer.reserve(cache.child("it"))
    for position in range(5):
        cache = cache.at(position, cache.flat())
        x = np.repeat(X[:, position : position + 1], beams, axis=1)
        step = numbers(layer(x, mask=cache.visible(), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, position : position + 1], beams, axis=1), atol=1e-5)
        cache.reorder(np.tile(np.arange(beams, dtype="int32"), (2, 1)))


def test_examples_of_a_packed_row_are_as_in_rows_of_their_own():
    layer = RelativeAttention(2, 3)
    segments = np.array([[1, 1, 1, 2, 2]])
    same = segments[:, :, None] == segments[:, None, :]
    packed = numbers(forward(layer)(X[:1], mask=same))
    alone = [numbers(forward(layer)(X[:1, part])) for part in (slice(0, 3), slice(3, 5))]
    np.testing.assert_allclose(packed, np.concatenate(alone, axis=1), atol=1e-5)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="max_distance: 0 is not positive"):
        RelativeAttention(2, 0)
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide key_dim 8"):
        RelativeAttention(3, 2, key_dim=8)
    with pytest.raises(ValueError, match="cannot read a memory. Use Attention"):
        RelativeAttention(2, 2)(X, memory=X)
