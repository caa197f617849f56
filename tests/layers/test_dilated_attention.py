"""Dilated attention, against the formula pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_packed, check_steps, sequence
from harness import check_layer

from kt2t.layers import DilatedAttention


def seen_by(block, memory, gap, count, causal):
    """The keys that each query sees, block by block."""

    def sees(i, j):
        start = i // block * block
        keys = set(range(start, start + block))
        for number in range(count):
            keys |= {start - gap - number * (memory + gap) - 1 - k for k in range(memory)}
            keys |= {start + block + gap + number * (memory + gap) + k for k in range(memory)}
        return j in keys and (j <= i or not causal)

    return sees


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: DilatedAttention(2, 2, gap=1, **o), sequence(9), shape=(2, 9, 8))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("sizes", [(2, 1, 1, 2), (3, 2, 2, 1), (2, 3, 0, 1), (40, 5, 2, 2)])
def test_it_is_the_formula(causal, sizes):
    layer, x = DilatedAttention(2, *sizes), sequence(13)
    np.testing.assert_allclose(attended(layer, x, causal), by_pairs(layer, x, seen_by(*sizes, causal)), atol=1e-5)
    check_packed(layer, (9, 2, 6), causal)


def test_one_position_after_another_is_all_at_once():
    entries = check_steps(DilatedAttention(2, 2, 1, 2, 2), sequence(12))
    assert entries["state/it.keys"].shape == (2, 3, 2, 8, 4)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="memory_length: 0 is not positive"):
        DilatedAttention(2, 4, 0)
    with pytest.raises(ValueError, match="gap: -1 is negative"):
        DilatedAttention(2, 4, gap=-1)
    with pytest.raises(ValueError, match="num_memories: 0 is not positive"):
        DilatedAttention(2, 4, num_memories=0)
