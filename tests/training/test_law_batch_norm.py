"""Batch normalization in the trainer: one device and several replicas give the same, filled-up rows change nothing, and
its averages move once for each finite step. `test_jax_trainer.py` runs this file once more on JAX.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.layers import BatchNorm
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

ON_JAX = keras.backend.backend() == "jax"
DRAW = np.random.default_rng(0)
MOMENTUM = 0.6


class Normed(Trainer):
    """A batch normalization between two layers."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = keras.layers.Dense(4), BatchNorm(momentum=MOMENTUM), keras.layers.Dense(2)
        self.first.build((None, 3)), self.norm.build((None, 4)), self.last.build((None, 4))
        self.built = True

    def call(self, x, training=False):
        return self.last(self.norm(self.first(x), training=training))


def batches(count, rows=5):
    return [
        (DRAW.normal(size=(rows, 3)).astype("float32"), DRAW.normal(size=(rows, 2)).astype("float32"),
         np.r_[0.0, DRAW.random(rows - 1) + 0.1].astype("float32"))
        for _ in range(count)
    ]  # fmt: skip


def trained(data, replicas=1, micro_batches=1, rate=0.1):
    keras.utils.set_random_seed(3)
    with strategy_scope("mirrored" if replicas > 1 else "none"):
        model = Normed()
        model.compile(keras.optimizers.SGD(rate), "mse", micro_batches=micro_batches)
    start = [keras.ops.convert_to_numpy(one) for one in model.weights]
    history = model.fit((one for one in data), verbose=0).history
    evaluation = model.evaluate((one for one in data), verbose=0)
    return model, start, [keras.ops.convert_to_numpy(one) for one in model.weights], (history, evaluation)


def same(found, wanted):
    for one, other in zip(found[2], wanted[2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for name, value in wanted[3][0].items():
        assert found[3][0][name] == pytest.approx(value, rel=1e-4), name
    assert found[3][1] == pytest.approx(wanted[3][1], rel=1e-4)


def statistics(x, start):
    """Mean and variance of the first layer's outputs over the rows of x, in float64."""
    hidden = x.astype("float64") @ start[0] + start[1]
    return hidden.mean(0), hidden.var(0)


def averages(model):
    return keras.ops.convert_to_numpy(model.norm.moving_mean), keras.ops.convert_to_numpy(model.norm.moving_variance)


@pytest.mark.skipif(ON_JAX, reason="TensorFlow's replicas")
def test_replicas_give_what_one_device_gives():
    data = batches(6)  # an odd number of rows: each second replica has one that fills up
    same(trained(data, replicas=2), trained(data))


def test_rows_without_weight_change_nothing():
    data = batches(3)
    garbage = [(np.concatenate([x, x + 1e3]), np.concatenate([y, y]), np.r_[w, 0 * w]) for x, y, w in data]
    same(trained(garbage), trained(data))


def test_a_step_moves_the_averages_by_hand():
    data = batches(1)
    (x, _, weights), (model, start, _, _) = data[0], trained(data)
    mean, variance = statistics(x[weights > 0], start)
    np.testing.assert_allclose(averages(model)[0], (1 - MOMENTUM) * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(averages(model)[1], MOMENTUM + (1 - MOMENTUM) * variance, rtol=1e-4)


@pytest.mark.parametrize("replicas", [1] if ON_JAX else [1, 2])
def test_micro_batches_move_the_averages_once_a_step(replicas):
    """By the mean over the parts, each weighted by the rows that count; at a rate of 0 two steps are two such moves."""
    data = batches(2, rows=8)
    model, start, _, _ = trained(data, replicas, micro_batches=2, rate=0.0)
    mean, variance = 0.0, 1.0
    for x, _, weights in data:
        size = 8 // (2 * replicas)
        parts = [slice(at, at + size) for at in range(0, 8, size)]
        counts = [(weights[part] > 0).sum() for part in parts]
        found = [statistics(x[part][weights[part] > 0], start) for part in parts]
        means, variances = (np.average([one[i] for one in found], 0, counts) for i in range(2))
        mean, variance = MOMENTUM * mean + (1 - MOMENTUM) * means, MOMENTUM * variance + (1 - MOMENTUM) * variances
    np.testing.assert_allclose(averages(model)[0], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(averages(model)[1], variance, rtol=1e-4)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_that_is_not_finite_leaves_the_averages(micro_batches):
    data = batches(2, rows=6)
    x, y, weights = data[1]
    y = y.copy()
    y[-1] = np.inf
    bad = trained([data[0], (x, y, weights)], micro_batches=micro_batches)
    good = trained(data[:1], micro_batches=micro_batches)
    assert bad[3][0]["bad_steps"] == [1]
    for one, other in zip(bad[2], good[2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(averages(good[0])[0]).max() > 0


def test_evaluation_uses_the_moving_averages_and_leaves_them():
    data = batches(1)
    keras.utils.set_random_seed(3)
    model = Normed()
    model.compile("sgd", "mse")
    x, y, weights = data[0]
    hidden = keras.ops.convert_to_numpy(model.first(x)) / np.sqrt(1 + 1e-3)
    error = ((keras.ops.convert_to_numpy(model.last(hidden)) - y) ** 2).mean(1)
    found = model.evaluate(x, y, sample_weight=weights, verbose=0)
    assert found == pytest.approx((error * weights).sum() / weights.sum(), rel=1e-4)
    assert not averages(model)[0].any()
