"""Attention, against the formula in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Attention, Cache, capture

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 5, 8)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 3, 6)).astype("float32")
MASK = np.array([[[True, True, False]], [[True, False, False]]])


def attended(layer, x, memory, mask):
    """softmax(q kᵀ / √d) v, head by head, row by row."""
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    q, k, v = x @ kernel["query"], memory @ kernel["key"], memory @ kernel["value"]
    rows = []
    for row in range(len(x)):
        parts = []
        for head in range(layer.num_heads):
            cut = [np.split(part[row], layer.num_heads, axis=-1)[head] for part in (q, k, v)]
            logits = cut[0] @ cut[1].T / np.sqrt(cut[0].shape[-1])
            logits = np.where(mask[row], logits, -np.inf)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            parts.append(weights / weights.sum(-1, keepdims=True) @ cut[2])
        rows.append(np.concatenate(parts, -1) @ kernel["output_projection"])
    return np.stack(rows)


def test_self_attention_is_a_layer_like_any():
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    check_layer(lambda **o: Attention(2, dropout=0.5, **o), X, shape=(2, 5, 8), weights=weights, has_dropout=True)


def test_attention_to_a_memory_is_a_layer_like_any():
    weights = {"query.kernel": (8, 6), "key.kernel": (6, 6), "value.kernel": (6, 4)}
    weights |= {"output_projection.kernel": (4, 10)}
    check_layer(
        lambda **o: Attention(2, key_dim=6, value_dim=4, output_dim=10, **o),
        X,
        MEMORY,
        shape=(2, 5, 10),
        weights=weights,
        mask=MASK[:1],
    )


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_the_formula(causal):
    layer = Attention(2)
    mask = np.tril(np.ones((1, 5, 5), bool)) if causal else np.ones((1, 5, 5), bool)
    found = numbers(forward(layer)(X, mask=mask))
    np.testing.assert_allclose(found, attended(layer, X, X, np.repeat(mask, 2, 0)), atol=1e-5)


def test_attention_to_a_memory_is_the_formula():
    layer = Attention(2, key_dim=4, value_dim=6)
    found = numbers(forward(layer)(X, memory=MEMORY, mask=MASK))
    np.testing.assert_allclose(found, attended(layer, X, MEMORY, MASK), atol=1e-5)


def test_a_hidden_key_has_no_influence():
    layer = Attention(2)
    other = MEMORY.copy()
    other[0, 2], other[1, 1:] = 1e3, -1e3
    first, second = (numbers(forward(layer)(X, memory=memory, mask=MASK)) for memory in (MEMORY, other))
    np.testing.assert_array_equal(first, second)


def test_a_query_with_nothing_to_see_is_finite():
    layer = Attention(2)
    assert np.isfinite(numbers(forward(layer)(X, mask=np.zeros((1, 5, 5), bool)))).all()


def test_the_tap_shows_the_weights():
    layer = Attention(2)
    with capture() as shown:
        layer(X, mask=np.tril(np.ones((1, 5, 5), bool)))
    (weights,) = shown.values()
    assert weights.shape == (2, 2, 5, 5)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert (weights[..., ~np.tril(np.ones((5, 5), bool))] == 0).all()


def test_one_position_after_another_is_all_at_once():
    layer = Attention(2, value_dim=4)
    whole = numbers(forward(layer)(X, mask=np.tril(np.ones((1, 5, 5), bool))))
    cache = Cache(batch=2, length=7)
    layer.reserve(cache.child("it"))
    for position in range(5):
        cache = cache.at(position, cache.flat())
        step = layer(X[:, position : position + 1], mask=cache.visible(), cache=cache.child("it"))
        np.testing.assert_allclose(numbers(step)[:, 0], whole[:, position], atol=1e-5)


def test_beams_share_the_memory_of_their_source():
    layer = Attention(2)
    alone = [numbers(forward(layer)(X[:, beam : beam + 1], memory=MEMORY, mask=MASK)) for beam in range(5)]
    cache = Cache(batch=2, length=1, beams=5)
    layer.remember(MEMORY, cache)
    np.testing.assert_allclose(numbers(layer(X, mask=MASK, cache=cache)), np.concatenate(alone, 1), atol=1e-6)


def test_widths_that_the_heads_do_not_divide():
    with pytest.raises(ValueError, match=r"num_heads: 3 heads do not divide key_dim 8. Choose 1, 2, 4 or 8."):
        Attention(3, key_dim=8)
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide key_dim 8"):
        Attention(3).build((None, None, 8))


def test_kernels_are_uniform_over_fan_average():
    keras.utils.set_random_seed(0)
    layer = Attention(4)
    layer.build((None, None, 64))
    kernel = numbers(layer.query.kernel)
    assert np.abs(kernel).max() <= np.sqrt(3 / 64) + 1e-6
    np.testing.assert_allclose(kernel.std(), 64**-0.5, rtol=0.05)
