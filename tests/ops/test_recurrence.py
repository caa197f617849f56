"""The loop over time, with a step simple enough for a loop by hand."""

from __future__ import annotations

import numpy as np
import pytest
from harness import compiled, numbers

from kt2t.ops.recurrence import over_time

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 3)).astype("float32")
SEGMENTS = np.array([[1, 1, 0, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
INITIAL = RANDOM.normal(size=(2, 6, 3)).astype("float32")


def by_hand(initial):
    states = np.zeros_like(X)
    for row, (xs, segments) in enumerate(zip(X, SEGMENTS, strict=True)):
        state, before = np.zeros(3), 0
        for time, (x, segment) in enumerate(zip(xs, segments, strict=True)):
            if segment:
                if segment != before:
                    state = np.zeros(3) if initial is None else initial[row, time]
                state, before = 0.5 * state + segment * x, segment
            states[row, time] = state
    return states


@pytest.mark.parametrize("initial", [None, INITIAL], ids=["zeros", "given"])
def test_it_starts_anew_at_every_example_and_stands_still_at_padding(initial):
    run = compiled(lambda x, s, i: over_time(lambda now, state, here: 0.5 * state + here * now, x, s, 3, i))
    np.testing.assert_allclose(numbers(run(X, SEGMENTS, initial)), by_hand(initial), atol=1e-6)
