from __future__ import annotations

import keras
import numpy as np

from kt2t.metrics import SequenceAccuracy
from kt2t.ops import segments
from kt2t.training.target_metric import TargetMetric, by_target

IDS = np.array([[1, 2, 1, 0], [2, 2, 2, 1]])
LOGITS = np.eye(3, dtype="float32")[[[1, 2, 2, 0], [2, 2, 2, 1]]]
PACKED = np.array([[1, 1, 2, 0], [1, 2, 2, 3]], "int32")  # of five examples only the second one is wrong


def test_a_metric_sees_the_segments_of_its_own_target():
    packed, rows = TargetMetric(SequenceAccuracy(), "a"), TargetMetric(SequenceAccuracy(), "b")
    with segments.showing({"a": PACKED, "b": None}):
        for metric in (packed, rows):
            metric.update_state(IDS, LOGITS)
    assert float(packed.result()) == np.float32(0.8) and float(rows.result()) == 0.5
    assert packed.name == "sequence_accuracy" and len(packed.variables) == 2
    packed.reset_state()
    assert float(packed.result()) == 0.0


def test_only_a_dict_of_metrics_is_wrapped_and_a_single_target_keeps_its_key():
    metrics = [keras.metrics.Mean(name="m")]
    assert by_target(metrics) is metrics and by_target(None) is None
    several = by_target({"a": metrics, "b": None, "c": keras.metrics.Mean(name="n")})
    assert [one.name for one in several["a"]] == ["m"] and several["b"] is None and several["c"].name == "n"
    assert [one.name for one in by_target({"a": metrics}, alone=True)["a"]] == ["a_m"]
