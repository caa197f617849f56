"""Local attention with vectors for distances, against the formula pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_packed, check_steps, sequence
from harness import check_layer, numbers

from kt2t.layers import RelativeLocalAttention


def test_it_is_a_layer_like_any():
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    check_layer(
        lambda **o: RelativeLocalAttention(2, 3, **o),
        sequence(7),
        shape=(2, 7, 8),
        weights={**weights, "key_distances": (6, 4)},
    )


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("block", "margin"), [(3, None), (2, 3), (50, None)])
def test_it_is_the_formula(causal, block, margin):
    layer, x = RelativeLocalAttention(2, block, margin), sequence(8)
    layer.build(x.shape)
    far, table = block if margin is None else margin, numbers(layer.key_distances)

    def sees(i, j):
        start = i // block * block
        return start - far <= j < start + block + far and (j <= i or not causal)

    def added(head, i, j, q):
        return q @ table[len(table) - 1 - (i - j)] if j <= i else 0.0

    wanted = by_pairs(layer, x, sees, added)
    np.testing.assert_allclose(attended(layer, x, causal), wanted, atol=1e-5)
    check_packed(layer, (5, 2, 7), causal)


@pytest.mark.parametrize("margin", [1])
def test_one_position_after_another_is_all_at_once(margin):
    check_steps(RelativeLocalAttention(2, 3, margin), sequence(11))
