"""Metrics of tensors against Tensor2Tensor's, whose figures are a value and its weight."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.metrics import EditDistance, Perplexity, SequenceAccuracy, TokenAccuracy

pytestmark = pytest.mark.cases("util_metrics")


def _flat(case):
    labels = case["in/labels"]
    return labels.reshape(labels.shape[:2]), case["in/logits"].reshape(*labels.shape[:2], -1)


def _mean(case, name):
    """Upstream's mean by its own weights, which say what is padding."""
    value, weight = case[f"out/{name}"], case[f"out/{name}_weights"]
    return (value * weight).sum() / np.broadcast_to(weight, value.shape).sum()


def _found(case, metric, weighted=True):
    labels, logits = _flat(case)
    metric.update_state(labels, logits, (labels > 0).astype("float32") if weighted else None)
    return float(metric.result())


def test_accuracy(case):
    assert _found(case, TokenAccuracy()) == pytest.approx(_mean(case, "padded_accuracy"), abs=1e-5)


def test_accuracy_among_the_five_likeliest(case):
    assert _found(case, TokenAccuracy(top=5)) == pytest.approx(_mean(case, "padded_accuracy_top5"), abs=1e-5)


def test_accuracy_of_whole_rows(case):
    assert _found(case, SequenceAccuracy()) == pytest.approx(_mean(case, "padded_sequence_accuracy"), abs=1e-5)


def test_perplexity(case):
    wanted = np.exp(-_mean(case, "padded_neg_log_perplexity"))
    assert _found(case, Perplexity()) == pytest.approx(wanted, rel=1e-5)


def test_edit_distance(case):
    """Upstream reads the predictions at padding too, so that no weight is given here."""
    metric = EditDistance()
    assert _found(case, metric, weighted=False) == pytest.approx(float(case["out/sequence_edit_distance"]), abs=1e-5)
    assert float(metric.length) == case["out/sequence_edit_distance_weights"]
