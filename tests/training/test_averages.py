from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.training.averages import fit_keeps_weights, take_averages, weights_averaged
from kt2t.training.trainer import Trainer

X, Y = np.eye(4, dtype="float32"), np.ones((4, 1), "float32")


class Line(Trainer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.dense.build((None, 4))
        self.built = True

    def call(self, x):
        return self.dense(x)


@pytest.fixture
def trained():
    """A model after three steps on a straight line down, and what its weights and their averages then are by hand."""
    keras.utils.set_random_seed(1)
    model = Line()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    average = None
    for _ in range(3):
        with fit_keeps_weights(model):
            model.fit(X, Y, batch_size=4, verbose=0)
        now = values(model)
        average = now if average is None else [0.5 * one + 0.5 * other for one, other in zip(average, now, strict=True)]
    return model, now, average


def values(model):
    return [keras.ops.convert_to_numpy(one) for one in model.weights]


def same(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_the_averages_stand_in_for_the_weights_for_a_while(trained):
    model, now, average = trained
    assert not np.allclose(now[0], average[0], rtol=1e-3)
    with weights_averaged(model):
        same(values(model), average)
    same(values(model), now)
    with pytest.raises(KeyError), weights_averaged(model):
        raise KeyError
    same(values(model), now)


def test_they_can_be_taken_for_good(trained):
    model, _, average = trained
    take_averages(model)
    same(values(model), average)


def test_without_keeping_apart_fit_ends_with_the_averages(trained):
    model, now, _ = trained
    model.fit(X, Y, batch_size=4, verbose=0)
    before = values(model)
    same(before, [keras.ops.convert_to_numpy(one) for one in model.optimizer._model_variables_moving_average])


def test_where_none_are_kept_nothing_happens():
    model = Line()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    before = values(model)
    with weights_averaged(model):
        same(values(model), before)
    take_averages(model)
    same(values(model), before)
