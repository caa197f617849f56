"""The loop of an LSTM, whose gradient is written by hand, against automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
from golden_means import gradients
from keras import ops

from kt2t.ops.lstm_recurrence import lstm_over_time, lstm_step
from kt2t.ops.recurrence import over_time

RANDOM = np.random.default_rng(0)
INNER, FIRST = RANDOM.normal(size=(3, 6, 16)).astype("float32"), RANDOM.normal(size=(3, 6, 8)).astype("float32")
KERNEL, WEIGHTS = RANDOM.normal(size=(4, 16)).astype("float32"), RANDOM.normal(size=(3, 6, 8)).astype("float32")
SEGMENTS = np.array([[1, 1, 0, 2, 2, 0], [1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 2, 3]], "int32")


@pytest.mark.parametrize("has_initial", [False, True])
def test_states_and_gradients(has_initial):
    def plain(inner, kernel, *initial):
        step = lambda now, state, _: lstm_step(now, state, kernel)  # noqa: E731
        return ops.sum(over_time(step, inner, SEGMENTS, 8, *initial) * WEIGHTS)

    def ours(inner, kernel, *initial):
        return ops.sum(lstm_over_time(inner, kernel, SEGMENTS, *initial) * WEIGHTS)

    given = [ops.convert_to_tensor(one) for one in (INNER, KERNEL, FIRST)[: 2 + has_initial]]
    (wanted, by_plain), (found, by_ours) = gradients(plain, given, []), gradients(ours, given, [])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    for one, other in zip(by_ours, by_plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
