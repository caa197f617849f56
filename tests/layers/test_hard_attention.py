"""Attention to the best keys, against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, check_packed, check_steps, sequence
from harness import check_layer, numbers
from keras import ops

from kt2t.layers import HardAttention


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: HardAttention(2, 3, dropout=0.5, **o), sequence(5), shape=(2, 5, 8), has_dropout=True)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_weights(k):
    logits = np.random.default_rng(0).normal(size=(2, 3, 5, 5)).astype("float32")
    mask = np.tril(np.ones((5, 5), bool))
    found = numbers(HardAttention(2, k)._weights(ops.convert_to_tensor(logits), mask[None], False))
    for row, weights in zip(logits.reshape(-1, 5, 5), found.reshape(-1, 5, 5), strict=True):
        for query in range(5):
            soft = np.exp(row[query, : query + 1])
            soft = soft / soft.sum()
            limit = np.sort(soft)[-k] if len(soft) >= k else 0.0
            wanted = np.maximum(soft - limit, 0)
            np.testing.assert_allclose(weights[query, : query + 1], wanted / wanted.sum(), atol=1e-6)
            assert (weights[query, query + 1 :] == 0).all()
            assert (weights[query] > 0).sum() <= max(k - 1, query + 1 if query + 1 < k else 0)


def test_it_keeps_the_best_key_alone():
    """With k = 2 the output is the value of the key with the largest product."""
    layer, x = HardAttention(1, 2), sequence(5)
    found = attended(layer, x, causal=False)
    q, k, v = (x @ numbers(getattr(layer, name).kernel) for name in ("query", "key", "value"))
    best = np.argmax(q @ k.transpose(0, 2, 1), axis=-1)
    wanted = np.take_along_axis(v, best[..., None], 1) @ numbers(layer.output_projection.kernel)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_packed_rows_and_steps():
    check_packed(HardAttention(2, 3), (4, 1, 5), causal=True)
    check_steps(HardAttention(2, 3), sequence(7))


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="k: 0 is not positive"):
        HardAttention(2, 0)
    with pytest.raises(ValueError, match="k: 1 would remove every key. Choose 2"):
        HardAttention(2, 1)
