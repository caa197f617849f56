"""The weighted sum of steps, worked out by hand."""

from __future__ import annotations

import numpy as np
from recurrence_harness import TABLE, by_hand, halted

from kt2t.layers import AccumulatedRecurrence


def test_the_sum_by_hand():
    found, _ = halted(AccumulatedRecurrence, TABLE)
    wanted = [by_hand([step[0][place] for step in TABLE], running_mean=False)[0] for place in range(3)]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
