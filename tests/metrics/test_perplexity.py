"""Perplexity is of all tokens together, not a mean of batches."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.metrics import Perplexity
from kt2t.registry import build, describe

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4, 6, 9)).astype("float32") * 2
IDS = RNG.integers(0, 9, size=(4, 6)).astype("int32")
WEIGHT = (RNG.random((4, 6)) > 0.4).astype("float32") * 1.5


def by_formula(ids, logits, weight):
    logits = logits.astype("float64")
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    surprise = -np.take_along_axis(log_p, ids[..., None], -1)[..., 0]
    return np.exp((surprise * weight).sum() / weight.sum())


@pytest.mark.parametrize("cut", [1, 3])
def test_it_is_the_exponential_of_the_weighted_mean_over_everything(cut):
    metric = Perplexity()
    for part in (slice(0, cut), slice(cut, None)):
        metric.update_state(IDS[part], LOGITS[part], WEIGHT[part])
    assert float(metric.result()) == pytest.approx(by_formula(IDS, LOGITS, WEIGHT), rel=1e-5)
    metric.reset_state()
    metric.update_state(IDS, LOGITS)
    assert float(metric.result()) == pytest.approx(by_formula(IDS, LOGITS, np.ones_like(WEIGHT)), rel=1e-5)


def test_uniform_logits_have_the_perplexity_of_the_vocabulary():
    metric = Perplexity()
    metric.update_state(IDS, 0 * LOGITS, WEIGHT)
    assert float(metric.result()) == pytest.approx(9, rel=1e-5)


def test_what_has_no_weight_cannot_spoil_it():
    logits = LOGITS.copy()
    logits[0, 0, 0] = np.inf
    weight = WEIGHT.copy()
    weight[0, 0] = 0
    metric = Perplexity()
    metric.update_state(IDS, logits, weight)
    clean = LOGITS.copy()
    assert float(metric.result()) == pytest.approx(by_formula(IDS, clean, weight), rel=1e-5)


def test_before_anything_is_seen_it_is_finite():
    assert float(Perplexity().result()) == 1


def test_the_node_builds_it_again():
    assert describe(build(describe(Perplexity()))) == {"type": "Perplexity"}
