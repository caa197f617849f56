"""The edit distance as a metric."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.metrics import EditDistance
from kt2t.registry import build, describe


def logits_of(ids):
    return np.eye(6, dtype="float32")[ids] * 5


RIGHT = np.array([[2, 3, 4, 1], [5, 1, 0, 0]], "int32")
GUESS = np.array([[3, 4, 1, 2], [5, 2, 1, 1]], "int32")


def test_edits_are_summed_over_batches_and_divided_by_the_right_lengths():
    metric = EditDistance()
    metric.update_state(RIGHT, logits_of(GUESS), (RIGHT > 0).astype("float32"))
    assert float(metric.result()) == pytest.approx((2 + 1) / 6)  # one word moved to the end; one wrong, the rest unread
    metric.update_state(RIGHT[:1], logits_of(RIGHT[:1]))
    assert float(metric.result()) == pytest.approx(3 / 10)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_without_weights_only_padding_is_left_out():
    metric = EditDistance()
    metric.update_state(RIGHT, logits_of(GUESS))
    assert float(metric.result()) == pytest.approx((2 + 2) / 6)


def test_a_row_without_weight_counts_nothing():
    metric = EditDistance()
    metric.update_state(RIGHT, logits_of(GUESS), np.array([0.0, 1.0]))
    assert float(metric.result()) == pytest.approx(2 / 2)


def test_the_node_builds_it_again():
    assert describe(build(describe(EditDistance()))) == {"type": "EditDistance"}
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(EditDistance("edits")))
    assert copy.name == "edits"
