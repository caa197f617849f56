"""Accuracy of whole rows, against counting."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.metrics import SequenceAccuracy
from kt2t.ops.segments import showing
from kt2t.registry import build, describe

IDS = np.array([[2, 1, 0], [3, 3, 1], [1, 2, 3]], "int32")
LOGITS = np.eye(4, dtype="float32")[np.array([[2, 1, 3], [3, 1, 1], [1, 2, 3]])] * 5


def accuracy(weight):
    metric = SequenceAccuracy()
    metric.update_state(IDS, LOGITS, None if weight is None else np.array(weight, "float32"))
    return float(metric.result())


def test_a_row_is_right_where_it_has_weight():
    assert accuracy(None) == pytest.approx(1 / 3)
    assert accuracy([[1, 1, 0], [1, 1, 1], [1, 1, 1]]) == pytest.approx(2 / 3)
    assert accuracy([[1, 1, 0], [1, 0, 1], [1, 1, 1]]) == 1


def test_a_filler_row_is_not_counted():
    assert accuracy([[1, 1, 0], [1, 1, 1], [0, 0, 0]]) == pytest.approx(1 / 2)
    assert accuracy([[0, 0, 0]] * 3) == 0


def test_rows_add_up_over_batches():
    metric = SequenceAccuracy()
    metric.update_state(IDS, LOGITS)
    metric.update_state(IDS[2:], LOGITS[2:])
    assert float(metric.result()) == pytest.approx(2 / 4)


def test_padded_sequence_accuracy_is_tensor2tensors(golden):
    z = golden("util_metrics")
    labels = z["in/labels"][:, :, 0, 0]
    metric = SequenceAccuracy()
    metric.update_state(labels, z["in/logits"][:, :, 0, 0], (labels > 0).astype("float32"))
    assert float(metric.result()) == pytest.approx(z["out/padded_sequence_accuracy"].mean())


def test_one_label_a_row_is_a_row():
    metric = SequenceAccuracy()
    metric.update_state(IDS[:, 1], LOGITS[:, 1], np.array([3.0, 1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(1 / 2)


def test_the_node_builds_it_again():
    assert describe(build(describe(SequenceAccuracy()))) == {"type": "SequenceAccuracy"}


def test_a_packed_row_counts_by_segment():
    """Nine sequences as rows of their own, and as segments of three rows, padding between and after them."""
    random = np.random.default_rng(0)
    rows, segments = [[], [], []], [[], [], []]
    apart = SequenceAccuracy()
    for number in range(9):
        length = int(random.integers(1, 4))
        truth, guess = random.integers(0, 2, (2, length))
        weight = np.zeros(length) if number == 4 else np.ones(length)
        apart.update_state(truth[None], np.eye(2)[guess][None], weight[None])
        rows[number // 3] += list(zip(truth, guess, weight, strict=True))
        segments[number // 3] += [number % 3 + 1] * length
    width = max(map(len, rows)) + 2
    table = np.array([row + [(0, 1, 0)] * (width - len(row)) for row in rows])
    segments = np.array([row + [0] * (width - len(row)) for row in segments], "int32")
    truth, guess, weight = table[..., 0].astype("int32"), table[..., 1].astype("int32"), table[..., 2]
    packed = SequenceAccuracy()
    with showing(segments):
        packed.update_state(truth, np.eye(2)[guess], weight)
    assert 0 < float(apart.result()) < 1
    assert float(packed.result()) == pytest.approx(float(apart.result()))
    assert float(packed.count) == float(apart.count) == 8
    with showing(np.where(segments > 0, 1, 0)):
        without_weight = SequenceAccuracy()
        without_weight.update_state(truth, np.eye(2)[guess])
    assert float(without_weight.count) == 3


def test_segments_do_not_matter_for_one_label_a_row():
    metric = SequenceAccuracy()
    with showing(np.ones((3, 5), "int32")):
        metric.update_state(IDS[:, 1], LOGITS[:, 1])
    assert float(metric.result()) == pytest.approx(2 / 3)
