"""Evaluation is of the averages, and training goes on as if there had been none."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import pytest

from kt2t.callbacks import EvaluatingAverages
from kt2t.training.averages import fit_keeps_weights, weights_averaged
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(16, 8)).astype("float32"), DRAW.normal(size=(16, 4)).astype("float32")


class Line(Trainer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(1))
        self.dense.build((None, 8))
        self.built = True

    def call(self, x):
        return self.dense(x)


def values(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(one) for one in variables]


def trained(name, *callbacks, **options):
    with strategy_scope(name):
        model = Line()
        model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    with fit_keeps_weights(model), contextlib.suppress(Failure):
        callbacks = [*callbacks, Watch()]
        model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=callbacks, **options)
    return model


class Failure(Exception):
    pass


class Watch(keras.callbacks.Callback):
    """The validation loss of each epoch, and what it would be with the averages put in by hand."""

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            with weights_averaged(self.model):
                dense = [keras.ops.convert_to_numpy(one) for one in self.model.weights]
            by_hand = np.square(X @ dense[0] + dense[1] - Y).mean()
            assert logs["val_loss"] == pytest.approx(by_hand, rel=1e-5)


class Failing(keras.callbacks.Callback):
    """The second evaluation does not come to its end."""

    count = 0

    def on_test_batch_end(self, batch, logs=None):
        self.count += 1
        if self.count == 2:
            raise Failure


@pytest.mark.parametrize("name", ["none", "mirrored"] if ON_TENSORFLOW else ["none"])
def test_an_evaluation_alters_no_bit_of_the_training(name):
    wanted = values(trained(name))
    found = values(trained(name, EvaluatingAverages(), validation_data=(X, Y), validation_batch_size=16))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["none", "mirrored"] if ON_TENSORFLOW else ["none"])
def test_after_a_failure_the_weights_can_be_put_back(name):
    seen = []

    class Before(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen.append(values(self.model))

    callback = EvaluatingAverages()
    options = {"validation_data": (X, Y), "validation_batch_size": 16}
    model = trained(name, Before(), callback, Failing(), **options)
    assert len(seen) == 2 and not np.array_equal(values(model)[0], seen[1][0])
    callback.put_back()
    callback.put_back()
    for one, other in zip(values(model), seen[1], strict=True):
        np.testing.assert_array_equal(one, other)
