"""Attention whose query heads share keys and values, against plain attention with repeated kernels."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, check_packed, check_steps, sequence
from harness import check_layer, forward, numbers

from kt2t.layers import Attention, Cache, GroupedQueryAttention


def test_it_is_a_layer_like_any():
    weights = {"query.kernel": (8, 8), "key.kernel": (8, 4), "value.kernel": (8, 4), "output_projection.kernel": (8, 8)}
    check_layer(
        lambda **o: GroupedQueryAttention(4, 2, dropout=0.5, **o),
        sequence(5),
        shape=(2, 5, 8),
        weights=weights,
        has_dropout=True,
    )


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_it_is_plain_attention_with_repeated_keys_and_values(key_heads):
    layer, plain, x = GroupedQueryAttention(4, key_heads), Attention(4), sequence(6)
    found = attended(layer, x)
    plain.build(x.shape)
    for name in ("query", "key", "value", "output_projection"):
        kernel = numbers(getattr(layer, name).kernel)
        if name in ("key", "value"):
            kernel = np.repeat(kernel.reshape(8, key_heads, 2), 4 // key_heads, axis=1).reshape(8, 8)
        getattr(plain, name).kernel.assign(kernel)
    np.testing.assert_allclose(found, attended(plain, x), atol=1e-5)


def test_packed_rows_and_steps():
    check_packed(GroupedQueryAttention(4, 2), (4, 1, 5), causal=True)
    entries = check_steps(GroupedQueryAttention(4, 1), sequence(7))
    assert entries["history/it.keys"].shape == (2, 1, 9 * 3, 2)


def test_it_reads_a_memory():
    layer, x, memory = GroupedQueryAttention(4, 2), sequence(3), sequence(5, seed=1)
    whole = numbers(forward(layer)(x, memory=memory))
    cache = Cache(2, 4)
    layer.remember(memory, cache)
    np.testing.assert_allclose(numbers(layer(x, memory=memory, cache=cache)), whole, atol=1e-5)
    assert cache.read("keys").shape == (2, 2, 5, 2)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="num_key_heads: 3 does not divide num_heads 4. Choose 1, or 4"):
        GroupedQueryAttention(4, 3)
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide key_dim 8"):
        GroupedQueryAttention(3, 1, key_dim=8)
