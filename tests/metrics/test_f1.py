import numpy as np
import pytest

from kt2t.metrics import F1


def test_f1_over_batches_with_weights_as_counted_by_hand():
    chance = np.random.default_rng(1)
    metric, hits, found = F1(), 0.0, 0.0
    for _ in range(3):
        truth, logits = chance.integers(0, 2, (4, 5)).astype("float32"), chance.normal(size=(4, 5)).astype("float32")
        weight = chance.integers(0, 2, 4).astype("float32")
        metric.update_state(truth, logits, weight)
        for row in range(4):
            right, predicted = {*np.flatnonzero(truth[row])}, {*np.flatnonzero(logits[row] > 0)}
            hits += weight[row] * len(right & predicted)
            found += weight[row] * (len(right) + len(predicted))
    assert float(metric.result()) == pytest.approx(2 * hits / found, rel=1e-6)


def test_nothing_predicted_and_nothing_right_is_zero():
    metric = F1()
    metric.update_state(np.zeros((2, 3)), np.full((2, 3), -1.0))
    assert float(metric.result()) == 0.0
