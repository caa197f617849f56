"""The base of attention with a bias by distance, by a kind of its own."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_packed, check_steps, sequence
from keras import ops

from kt2t.layers import BiasedAttention


class Later(BiasedAttention):
    """Adds the signed distance."""

    def bias(self, distance):
        return ops.cast(ops.expand_dims(distance, 0), "float32")


@pytest.mark.parametrize("causal", [True, False])
def test_a_kind_of_your_own_in_one_method(causal):
    layer, x = Later(2), sequence(5)
    wanted = by_pairs(layer, x, lambda i, j: j <= i or not causal, lambda head, i, j, q: j - i)
    np.testing.assert_allclose(attended(layer, x, causal), wanted, atol=1e-5)


def test_packed_rows_and_steps():
    check_packed(Later(2), (4, 1, 5), causal=False)
    check_steps(Later(2), sequence(7))


def test_what_it_does_not_take():
    with pytest.raises(NotImplementedError, match="BiasedAttention must define bias"):
        BiasedAttention(2)(sequence(3))
    with pytest.raises(ValueError, match="Later is self attention, and cannot read a memory"):
        Later(2)(sequence(3), memory=sequence(3))
