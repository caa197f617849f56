"""Squared error, a value for each number."""

from __future__ import annotations

import keras
import numpy as np
from harness import numbers

from kt2t.losses import MeanSquaredError
from kt2t.registry import build, describe

TRUTH = np.array([[1.0, 2.0], [0.5, -1.0]], "float32")
GUESS = np.array([[0.0, 2.5], [0.5, 1.0]], "float32")


def test_each_value_is_the_square_of_the_difference():
    values = numbers(MeanSquaredError().call(TRUTH, GUESS))
    assert values.dtype == np.float32 and values.tolist() == [[1.0, 0.25], [0.0, 4.0]]


def test_an_unknown_number_may_have_weight_zero():
    weight = np.array([[1, 0], [1, 1]], "float32")
    assert float(MeanSquaredError(reduction="sum")(TRUTH, GUESS, weight)) == 5.0


def test_a_column_and_a_vector_are_not_spread_over_each_other():
    assert numbers(MeanSquaredError().call(TRUTH[:, 0], GUESS[:, :1])).tolist() == [[1.0], [0.0]]


def test_bfloat16_is_judged_in_float32():
    half = keras.ops.cast(np.array([[256.0]]), "bfloat16")
    assert numbers(MeanSquaredError().call(np.array([[257.0]]), half)).tolist() == [[1.0]]


def test_the_node_builds_it_again_and_is_ours():
    loss = build({"type": "MeanSquaredError"}, "loss")
    assert type(loss) is MeanSquaredError and describe(loss) == {"type": "MeanSquaredError"}
