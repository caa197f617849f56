"""AdaMax with clipping of its own, by its formula."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from kt2t.registry import build, describe
from kt2t.training import ClippedAdamax


def test_the_formula_by_hand():
    gradients = [0.5, -2.0, 30.0, 0.1]
    weight, mean, bound = 1.0, 0.0, 0.0
    variable = keras.Variable(weight)
    optimizer = ClippedAdamax(0.1, beta_1=0.8, beta_2=0.95, first_forgetting=0.2, half_life=1.0, noise=0.0)
    for step, gradient in enumerate(gradients):
        limit = 1.2 * bound + 1e-4
        gradient = min(max(gradient, -limit), limit)
        mean = 0.8 * mean + 0.2 * gradient
        bound = max((1 - max(0.2 * 0.5**step, 0.05)) * bound, abs(gradient))
        weight -= 0.1 * mean / (bound + 1e-8)
        optimizer.apply([ops.convert_to_tensor(gradients[step])], [variable])
    assert float(variable.value) == pytest.approx(weight, rel=1e-5)


def test_the_noise_is_small_and_a_function_of_step_and_weight():
    def moved():
        variables = [keras.Variable(np.zeros(4000, "float32")) for _ in range(2)]
        optimizer = ClippedAdamax(0.01, beta_1=0.0, epsilon=1.0)
        still = [ops.zeros(4000)] * 2
        seen = []
        for _ in range(2):
            before = [ops.convert_to_numpy(one.value).copy() for one in variables]
            optimizer.apply(still, variables)
            seen += [ops.convert_to_numpy(one.value) - old for one, old in zip(variables, before, strict=True)]
        return seen

    first, again = moved(), moved()
    np.testing.assert_array_equal(first, again)
    for one in first:
        # A normal truncated at two standard deviations has 0.88 of its deviation; noise 1e-4 · 0.01, then the rate.
        assert one.std() == pytest.approx(0.88 * 1e-4 * 0.01 * 0.01, rel=0.1)
    assert len({tuple(one[:8].tolist()) for one in first}) == 4


def test_options():
    node = {"type": "ClippedAdamax", "learning_rate": 0.02, "noise": 0.0}
    assert describe(build(node, "optimizer")) == node
    with pytest.raises(ValueError, match="half_life: 0 is not positive"):
        ClippedAdamax(half_life=0)
