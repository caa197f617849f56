"""Memory-compressed attention, against the formula query by query."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, check_packed, check_steps, sequence
from harness import check_layer, numbers

from kt2t.layers import BlockPooling, MemoryCompressedAttention


def by_queries(layer, x, causal):
    """Attention of rows of one example each to its first position and its whole blocks."""
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    factor, out = layer.factor, []
    for row in x:
        blocks = [row[start : start + factor] for start in range(0, len(row) - factor + 1, factor)]
        memory = [row[0]]
        if blocks:
            compressed = numbers(layer.compression(np.stack(blocks)[None]))[0]
            memory += list(compressed / (1 + np.exp(-compressed)))  # silu
        parts = []
        for head in range(layer.num_heads):
            q = np.split(row @ kernel["query"], layer.num_heads, -1)[head]
            k, v = (np.split(np.stack(memory) @ kernel[n], layer.num_heads, -1)[head] for n in ("key", "value"))
            means = []
            for i in range(len(row)):
                seen = [m for m in range(len(memory)) if not causal or m * factor <= i]
                weights = np.exp(k[seen] @ q[i] / np.sqrt(q.shape[-1]))
                means.append(weights / weights.sum() @ v[seen])
            parts.append(np.stack(means))
        out.append(np.concatenate(parts, -1) @ kernel["output_projection"])
    return np.stack(out)


@pytest.mark.parametrize("compression", [None, BlockPooling(2)])
def test_it_is_a_layer_like_any(compression):
    check_layer(
        lambda **o: MemoryCompressedAttention(2, 3, compression, dropout=0.5, **o),
        sequence(10),
        shape=(2, 10, 8),
        has_dropout=True,
    )


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("factor", "time"), [(3, 10), (2, 6), (1, 4), (5, 3)])
def test_it_is_the_formula(causal, factor, time):
    layer, x = MemoryCompressedAttention(2, factor, activation="silu", key_dim=4, value_dim=6), sequence(time)
    np.testing.assert_allclose(attended(layer, x, causal), by_queries(layer, x, causal), atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_examples_of_a_packed_row_are_as_in_rows_of_their_own(causal):
    check_packed(MemoryCompressedAttention(2, 3), (7, 2, 1, 8), causal)
    check_packed(MemoryCompressedAttention(2, 3, BlockPooling(2)), (7, 2, 1, 8), causal)


@pytest.mark.parametrize("beams", [1, 3])
def test_one_position_after_another_is_all_at_once(beams):
    entries = check_steps(MemoryCompressedAttention(2, 3, activation="silu"), sequence(11), beams)
    assert entries["history/it.keys@3"].shape == (2, 2, 5 * beams, 4)
    assert entries["state/it.block"].shape == (2, beams, 3, 8)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="factor: 0 is not positive"):
        MemoryCompressedAttention(2, 0)
    with pytest.raises(ValueError, match=r"compression: .* is no layer. Use BlockConvolution"):
        MemoryCompressedAttention(2, compression={"a": 1})
    with pytest.raises(ValueError, match="cannot read a memory. Use Attention"):
        MemoryCompressedAttention(2)(sequence(4), memory=sequence(4))
