"""Attention with linear biases, against the formula pair by pair and the rates of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_steps, sequence
from harness import check_layer

from kt2t.layers import ALiBiAttention
from kt2t.layers.alibi_attention import slopes


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: ALiBiAttention(2, **o), sequence(5), shape=(2, 5, 8))


def test_the_rates_of_the_paper():
    np.testing.assert_allclose(slopes(8), [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256])
    np.testing.assert_allclose(slopes(16)[:3], [2**-0.5, 2**-1, 2**-1.5])
    np.testing.assert_allclose(slopes(6), [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3])
    np.testing.assert_allclose(slopes(1), [2**-8])


@pytest.mark.parametrize(("heads", "rates"), [(2, [2**-4, 2**-8]), (4, [1 / 4, 1 / 16, 1 / 64, 1 / 256])])
def test_it_is_the_formula(heads, rates):
    layer, x = ALiBiAttention(heads), 5 * sequence(6)
    wanted = by_pairs(layer, x, lambda i, j: j <= i, lambda head, i, j, q: -rates[head] * (i - j))
    np.testing.assert_allclose(attended(layer, x), wanted, atol=1e-4)


def test_one_position_after_another_is_all_at_once():
    check_steps(ALiBiAttention(4), sequence(7))
