"""Sending rows to experts and choosing the experts, against loops and a case worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.ops.experts import noisy_top_k, squared_variation, through_experts

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_every_row_goes_through_its_experts(rows):
    x, matrices = RANDOM.normal(size=(rows, 3)), RANDOM.normal(size=(4, 3, 2))
    chosen, weights = RANDOM.integers(0, 5, size=(rows, 2)), RANDOM.normal(size=(rows, 2))
    chosen[: rows // 2] = 1  # one expert has most of the rows; number 4 is none
    x, weights, matrices = (one.astype("float32") for one in (x, weights, matrices))

    def run(blocks, expert):
        return ops.matmul(blocks, ops.take(ops.convert_to_tensor(matrices), expert, axis=0))

    found = numbers(through_experts(ops.convert_to_tensor(x), ops.convert_to_tensor(chosen, "int32"), weights, 4, run))
    wanted = np.zeros((rows, 2))
    for row, place in np.ndindex(rows, 2):
        if chosen[row, place] < 4:
            wanted[row] += weights[row, place] * (x[row] @ matrices[chosen[row, place]])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_choices_by_hand():
    """Two of three experts: their weights are e/(1+e) apart; the padding chooses number 3, which is none."""
    clean = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 4.0], [9.0, 9.5, 0.0]], "float32")
    found = noisy_top_k(ops.convert_to_tensor(clean), 2, real=np.array([True, True, False]))
    chosen, weights, importance, load = (numbers(one) for one in found)
    high = math.e / (1 + math.e)
    assert chosen.tolist() == [[0, 1], [2, 1], [3, 3]]
    np.testing.assert_allclose(weights, [[high, 1 - high]] * 2 + [[0, 0]], rtol=1e-5)
    np.testing.assert_allclose(importance, [high, 2 - 2 * high, high], rtol=1e-5)
    assert load.tolist() == [1, 2, 1]


def test_the_load_is_the_chance_to_be_chosen_with_noise_drawn_again():
    """One token, one of two experts: the chance that clean + deviation · noise exceeds the other's noisy logit."""
    clean, deviation = np.array([[1.0, 0.0]], "float32"), np.array([[0.5, 2.0]], "float32")
    noise = np.array([[0.2, 0.1]], "float32")
    load = numbers(noisy_top_k(*(ops.convert_to_tensor(clean), 1, deviation, noise))[3])
    phi = lambda z: 0.5 * (1 + math.erf(z / math.sqrt(2)))  # noqa: E731
    np.testing.assert_allclose(load, [phi((1.0 - 0.2) / 0.5), phi((0.0 - 1.1) / 2.0)], rtol=1e-5)


def test_squared_variation():
    values = np.array([1.0, 2.0, 6.0, 50.0], "float32")
    np.testing.assert_allclose(numbers(squared_variation(values[:3])), np.var(values[:3]) / 9, rtol=1e-5)
    counted = np.array([1.0, 1.0, 1.0, 0.0], "float32")
    np.testing.assert_allclose(numbers(squared_variation(values, counted)), np.var(values[:3]) / 9, rtol=1e-5)
