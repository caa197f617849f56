"""Relative attention without far vectors, against the formula pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_packed, check_steps, sequence
from harness import check_layer, numbers

from kt2t.layers import RelativeGlobalAttention


@pytest.mark.parametrize(("shares", "values"), [(True, False), (False, True)])
def test_it_is_a_layer_like_any(shares, values):
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    shape = (4, 4) if shares else (2, 4, 4)
    weights |= dict.fromkeys(["key_distances"] + ["value_distances"] * values, shape)
    check_layer(
        lambda **o: RelativeGlobalAttention(2, 4, shares_heads=shares, adds_to_values=values, **o),
        sequence(6),
        shape=(2, 6, 8),
        weights=weights,
    )


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("limit", "later"), [(3, 0), (3, 2), (9, 8), (1, 4)])
def test_it_is_the_formula(causal, limit, later):
    layer, x = RelativeGlobalAttention(2, limit, later), sequence(6)
    layer.build(x.shape)
    table = numbers(layer.key_distances)

    def added(head, i, j, q):
        row = j - i + limit - 1
        return q @ table[head, row] if 0 <= row < limit + later else 0.0

    wanted = by_pairs(layer, x, lambda i, j: j <= i or not causal, added)
    np.testing.assert_allclose(attended(layer, x, causal), wanted, atol=1e-5)


def test_examples_of_a_packed_row_are_as_in_rows_of_their_own():
    check_packed(RelativeGlobalAttention(2, 3, 1, adds_to_values=True), (5, 2, 6), causal=False)


@pytest.mark.parametrize("shares", [True, False])
def test_one_position_after_another_is_all_at_once(shares):
    check_steps(RelativeGlobalAttention(2, 3, shares_heads=shares, adds_to_values=True), sequence(8))


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="max_distance: 0 is not positive"):
        RelativeGlobalAttention(2, 0)
    with pytest.raises(ValueError, match="later_distances: -1 is negative"):
        RelativeGlobalAttention(2, 3, -1)
    with pytest.raises(ValueError, match="RelativeGlobalAttention is self attention, and cannot read a memory"):
        RelativeGlobalAttention(2, 2)(sequence(3), memory=sequence(3))
