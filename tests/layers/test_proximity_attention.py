"""Attention that favours near keys, against the formula pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_steps, sequence
from harness import check_layer

from kt2t.layers import ProximityAttention


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: ProximityAttention(2, dropout=0.5, **o), sequence(5), shape=(2, 5, 8), has_dropout=True)


@pytest.mark.parametrize("causal", [True, False])
def test_it_is_the_formula(causal):
    layer, x = ProximityAttention(2, key_dim=4, value_dim=6), sequence(6)
    wanted = by_pairs(layer, x, lambda i, j: j <= i or not causal, lambda head, i, j, q: -np.log(1 + abs(i - j)))
    np.testing.assert_allclose(attended(layer, x, causal), wanted, atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    check_steps(ProximityAttention(2), sequence(7))
