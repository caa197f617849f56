"""Random halting."""

from __future__ import annotations

import numpy as np
from harness import numbers
from recurrence_harness import X, prepared

from kt2t.layers import RandomRecurrence
from kt2t.ops import randomness


def test_it_is_drawn_in_training_and_a_half_else():
    layer = prepared(RandomRecurrence())
    assert not layer.weights
    assert (numbers(layer.probability(X)) == 0.5).all()
    with randomness.root(1, 5):
        first, second = (numbers(layer.probability(X, training=True)) for _ in range(2))
    with randomness.root(1, 5):
        again = numbers(layer.probability(X, training=True))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any() and (0 <= first).all() and (first < 1).all()
