"""Cross-entropy of several labels, against the formula in float64."""

from __future__ import annotations

import keras
import numpy as np
from harness import compiled, numbers

from kt2t.losses import BinaryCrossEntropy
from kt2t.registry import build, describe

RNG = np.random.default_rng(0)
LOGITS = (RNG.normal(size=(3, 5)) * 4).astype("float32")
TRUTH = RNG.integers(0, 2, (3, 5)).astype("float32")


def by_formula(truth, logits):
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    return -truth * np.log(p) - (1 - truth) * np.log(1 - p)


def test_there_is_a_value_for_each_class():
    values = numbers(BinaryCrossEntropy().call(TRUTH, LOGITS))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, by_formula(TRUTH, LOGITS), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(numbers(compiled(BinaryCrossEntropy().call)(TRUTH, LOGITS)), values, rtol=1e-6)


def test_large_logits_stay_finite():
    values = numbers(
        BinaryCrossEntropy().call(np.array([[1.0, 0.0, 1.0]]), np.array([[-200.0, 200.0, 200.0]], "float32"))
    )
    np.testing.assert_allclose(values, [[200, 200, 0]])


def test_bfloat16_logits_are_judged_in_float32():
    half = keras.ops.cast(LOGITS, "bfloat16")
    expected = by_formula(TRUTH, numbers(keras.ops.cast(half, "float32")))
    np.testing.assert_allclose(numbers(BinaryCrossEntropy().call(TRUTH, half)), expected, rtol=1e-5, atol=1e-6)


def test_a_class_may_have_a_weight_of_its_own():
    weight = RNG.random((3, 5)).astype("float32")
    found = float(BinaryCrossEntropy(reduction="sum")(TRUTH, LOGITS, weight))
    np.testing.assert_allclose(found, (by_formula(TRUTH, LOGITS) * weight).sum(), rtol=1e-5)


def test_a_column_and_a_vector_are_not_spread_over_each_other():
    assert numbers(BinaryCrossEntropy().call(TRUTH[:, 0], LOGITS[:, :1])).shape == (3, 1)


def test_the_node_builds_it_again():
    assert describe(build({"type": "BinaryCrossEntropy"}, "loss")) == {"type": "BinaryCrossEntropy"}
