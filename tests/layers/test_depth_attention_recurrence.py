"""The weighted sum of earlier steps, against the formula."""

from __future__ import annotations

import numpy as np
from harness import numbers
from recurrence_harness import DIM, MADE, X, dense, prepared, run

from kt2t.layers import DepthAttentionRecurrence


def test_a_step_reads_the_inputs_and_all_results_but_the_last():
    layer = prepared(DepthAttentionRecurrence())
    carried = [X, MADE[0], MADE[1]]
    assert not numbers(layer.read(carried[:1], 0)).any()
    wanted = 0
    for depth in range(2):
        x = carried[depth] + DIM**0.5 * numbers(layer.depths)[depth]
        scores = np.exp(dense(x, layer.scores))
        wanted = wanted + x * scores / scores.sum(-1, keepdims=True)
    np.testing.assert_allclose(numbers(layer.read(carried, 2)), wanted, atol=1e-4)


def test_the_last_step_is_the_result():
    np.testing.assert_array_equal(run(prepared(DepthAttentionRecurrence())), MADE[-1])
