"""Adaptive computation time, worked out by hand position by position."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers
from recurrence_harness import STEPS, TABLE, X, by_hand, dense, halted, prepared, run, sigmoid

from kt2t.layers import AdaptiveRecurrence

REAL = np.array([[True, True, False], [True, False, False]])


def test_the_running_mean_by_hand():
    found, layer = halted(AdaptiveRecurrence, TABLE)
    worked = [by_hand([step[0][place] for step in TABLE]) for place in range(3)]
    np.testing.assert_allclose(found[0], [one[0] for one in worked], rtol=1e-5)
    assert [one[1] for one in worked] == [3, 1, 2]
    assert float(layer.ponder_time.result()) == pytest.approx(2)
    assert float(sum(layer.losses)) == pytest.approx(0.01 * np.mean([one[1] + one[2] for one in worked]), rel=1e-5)


def test_the_probability_is_that_of_what_the_blocks_read_and_padding_does_not_count():
    layer = prepared(AdaptiveRecurrence(ponder_weight=1.0))
    np.testing.assert_allclose(numbers(layer.probability(X)), sigmoid(dense(X, layer.halting))[..., 0], atol=1e-5)
    run(layer, real=REAL, watched=True)
    probabilities = np.stack([sigmoid(dense(X + step, layer.halting))[..., 0] for step in range(STEPS)])
    worked = [by_hand(probabilities[:, row, place]) for row, place in np.argwhere(REAL)]
    assert float(layer.ponder_time.result()) == pytest.approx(np.mean([one[1] for one in worked]))
    assert float(sum(layer.losses)) == pytest.approx(np.mean([one[1] + one[2] for one in worked]), rel=1e-4)


def test_in_decoding_nothing_is_counted():
    layer = prepared(AdaptiveRecurrence())
    run(layer)
    assert float(layer.ponder_time.result()) == 0 and not layer.losses


def test_an_epsilon_of_1_is_refused():
    with pytest.raises(ValueError, match="epsilon: 1 is not between 0 and 1"):
        AdaptiveRecurrence(epsilon=1)
