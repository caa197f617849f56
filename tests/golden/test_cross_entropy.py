"""Cross-entropy against Tensor2Tensor's sums and its values per token."""

from __future__ import annotations

import re

import numpy as np
import pytest
from harness import numbers

from kt2t.losses import CrossEntropy

pytestmark = pytest.mark.cases("layer_cross_entropy")


def _flat(case):
    labels = case["in/labels"]
    return case["in/logits"].reshape(*labels.shape[:2], -1), labels.reshape(labels.shape[:2])


def _smoothings(meta):
    return [float(one) for one in re.search(r"smoothing ([\d./]+)", meta["exercises"])[1].split("/")]


def test_sums(case, meta):
    logits, labels = _flat(case)
    for place, smoothing in enumerate(_smoothings(meta)):
        values = numbers(CrossEntropy(smoothing).call(labels, logits))
        np.testing.assert_allclose((values * (labels > 0)).sum(), case[f"out/num_{place}"], rtol=1e-5)
        assert (labels > 0).sum() == case[f"out/den_{place}"]


def test_each_token(case, meta):
    """Which smoothing they were made with is told by their sum."""
    logits, labels = _flat(case)
    wanted = case["out/y"].reshape(labels.shape)
    sums = [abs(wanted.sum() - case[f"out/num_{place}"]) for place in range(len(_smoothings(meta)))]
    values = numbers(CrossEntropy(_smoothings(meta)[int(np.argmin(sums))]).call(labels, logits)) * (labels > 0)
    np.testing.assert_allclose(values, wanted, atol=1e-5 * np.abs(wanted).max())


def test_without_weights(case, meta):
    logits, labels = _flat(case)
    assert labels.size == case["out/den_weights_all"]
    sums = [numbers(CrossEntropy(one).call(labels, logits)).sum() for one in _smoothings(meta)]
    np.testing.assert_allclose(
        min(sums, key=lambda one: abs(one - case["out/num_weights_all"])), case["out/num_weights_all"], rtol=1e-5
    )
