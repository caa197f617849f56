"""Accuracy of positions, against counting."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.metrics import TokenAccuracy
from kt2t.registry import build, describe

IDS = np.array([[2, 1, 0], [3, 3, 1]], "int32")
LOGITS = np.eye(4, dtype="float32")[np.array([[2, 0, 0], [3, 1, 1]])] * 5
WEIGHT = np.array([[1, 1, 0], [2, 1, 0.5]], "float32")


def test_each_position_counts_by_its_weight():
    metric = TokenAccuracy()
    metric.update_state(IDS, LOGITS, WEIGHT)
    assert float(metric.result()) == pytest.approx((1 + 2 + 0.5) / 5.5)
    metric.update_state(IDS[:1], LOGITS[:1], WEIGHT[:1])
    assert float(metric.result()) == pytest.approx((1 + 2 + 0.5 + 1) / 7.5)
    metric.reset_state()
    metric.update_state(IDS, LOGITS)
    assert float(metric.result()) == pytest.approx(4 / 6)


def test_a_position_counts_the_same_in_a_short_batch_and_in_a_long_one():
    metric = TokenAccuracy()
    for time, right in ((2, 1), (8, 0)):
        ids = np.full((1, time), 3, "int32")
        metric.update_state(ids, np.eye(4, dtype="float32")[ids * right], np.ones((1, time), "float32"))
    assert float(metric.result()) == pytest.approx(0.2)


def test_a_weight_of_a_row_is_that_of_its_positions():
    metric = TokenAccuracy()
    metric.update_state(IDS, LOGITS, np.array([3.0, 1.0]))
    assert float(metric.result()) == pytest.approx((3 * 2 + 2) / 12)


def test_it_takes_one_label_a_row():
    metric = TokenAccuracy()
    metric.update_state(IDS[:, 1], LOGITS[:, 1], np.array([3.0, 1.0]))
    assert float(metric.result()) == 0


def test_padded_accuracy_is_tensor2tensors(golden):
    z = golden("util_metrics")
    metric = TokenAccuracy()
    right, weight = z["out/padded_accuracy"], z["out/padded_accuracy_weights"]
    metric.update_state(z["in/labels"][:, :, 0, 0], z["in/logits"][:, :, 0, 0], weight[:, :, 0, 0])
    assert float(metric.result()) == pytest.approx((right * weight).sum() / weight.sum(), rel=1e-6)


@pytest.mark.parametrize("top", [2, 5, 99])
def test_the_right_id_may_be_among_the_likeliest(top):
    random = np.random.default_rng(5)
    ids, logits = random.integers(0, 7, size=(4, 6)), random.normal(size=(4, 6, 7)).astype("float32")
    weight = (random.random((4, 6)) > 0.3).astype("float32")
    higher = (logits > np.take_along_axis(logits, ids[..., None], axis=-1)).sum(-1)
    metric = TokenAccuracy(top=top)
    metric.update_state(ids, logits, weight)
    assert float(metric.result()) == pytest.approx(((higher < top) * weight).sum() / weight.sum())
    assert describe(metric) == {"type": "TokenAccuracy", "top": top}


def test_a_top_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="top: 0"):
        TokenAccuracy(top=0)


def test_the_node_builds_it_again():
    assert describe(build(describe(TokenAccuracy()))) == {"type": "TokenAccuracy"}
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(TokenAccuracy("tokens")))
    assert copy.name == "tokens"
