"""The logs, through `compile`, `fit` and `evaluate`; `test_jax_trainer.py` runs this file once more on JAX."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.training.trainer import Trainer

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(8, 3)).astype("float32")
Y = DRAW.normal(size=(8, 2)).astype("float32")
START = DRAW.normal(size=(3, 2)).astype("float32")
LOGS = {"gradient_norm", "learning_rate", "bad_steps"}


class Linear(Trainer):
    """y = x · kernel for each of `keys`, or one; `penalty` · Σ kernel² through `add_loss`, in training or always."""

    def __init__(self, keys=(), penalty=0.0, always=False, regularizer=None):
        super().__init__()
        self.keys, self.penalty, self.always = keys, penalty, always
        self.kernel = self.add_weight(shape=(3, 2), name="kernel", regularizer=regularizer)
        self.kernel.assign(START)
        self.built = True

    def call(self, x, training=False):
        if self.penalty and (training or self.always):
            self.add_loss(self.penalty * keras.ops.sum(keras.ops.square(self.kernel)))
        y = keras.ops.matmul(x, self.kernel)
        return dict.fromkeys(self.keys, y) if self.keys else y


def step(model, y=Y):
    return {name: value[0] for name, value in model.fit(X, y, batch_size=8, verbose=0).history.items()}


@pytest.mark.parametrize("always", [False, True], ids=["in training", "always"])
def test_an_auxiliary_loss_trains_but_is_no_part_of_the_loss(always):
    model = Linear(penalty=0.5, always=always)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    square, penalty = ((X @ START - Y) ** 2).mean(), 0.5 * (START**2).sum()
    before = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert before == pytest.approx({"loss": square}, rel=1e-5)
    logs = step(model)
    assert set(logs) == {"loss", "auxiliary_loss", *LOGS}
    assert (logs["loss"], logs["auxiliary_loss"]) == pytest.approx((square, penalty), rel=1e-5)
    gradient = 2 * X.T @ (X @ START - Y) / Y.size + START
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.kernel), START - 0.1 * gradient, rtol=1e-4, atol=1e-6)


def test_a_regularizer_is_an_auxiliary_loss():
    model = Linear(regularizer=keras.regularizers.L2(0.5))
    model.compile("sgd", "mse")
    logs = step(model)
    assert logs["auxiliary_loss"] == pytest.approx(0.5 * (START**2).sum(), rel=1e-5)
    assert logs["loss"] == pytest.approx(((X @ START - Y) ** 2).mean(), rel=1e-5)


def test_without_a_loss_of_the_targets_that_of_the_layers_is_the_loss():
    model = Linear(penalty=0.5, always=True)
    model.compile("sgd", None)
    wanted = 0.5 * (START**2).sum()
    assert model.evaluate(X, verbose=0) == pytest.approx(wanted, rel=1e-5)
    history = model.fit(X, batch_size=8, verbose=0).history
    assert history["loss"] == pytest.approx([wanted], rel=1e-5) and "auxiliary_loss" not in history


@pytest.mark.parametrize("keys", [("tags",), ("tags", "label")], ids=len)
def test_losses_and_metrics_of_a_dict_are_logged_by_key(keys):
    model = Linear(keys)
    model.compile("sgd", dict.fromkeys(keys, "mse"), metrics={keys[0]: ["mae"]}, loss_weights={keys[0]: 0.5})
    y = {key: Y + place for place, key in enumerate(keys)}
    losses = {f"{key}_loss": ((X @ START - y[key]) ** 2).mean() for key in keys}
    total = sum(losses.values()) - 0.5 * losses["tags_loss"]
    wanted = {"loss": total, **losses, "tags_mae": np.abs(X @ START - Y).mean()}
    assert model.evaluate(X, y, verbose=0, return_dict=True) == pytest.approx(wanted, rel=1e-5)
    logs = step(model, y)
    assert set(logs) == {*wanted, *LOGS}
    assert {name: logs[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


def test_metrics_can_wait_for_evaluation_by_key():
    model = Linear(("tags", "label"))
    model.compile("sgd", {"tags": "mse", "label": "mae"}, metrics={"tags": "mae"}, metrics_in_training=False)
    y = {"tags": Y, "label": Y}
    assert set(step(model, y)) == {"loss", "tags_loss", "label_loss", *LOGS}
    assert set(model.evaluate(X, y, verbose=0, return_dict=True)) == {"loss", "tags_loss", "label_loss", "tags_mae"}


class Measured(keras.layers.Layer):
    """The identity, with a metric of its own."""

    def __init__(self, value):
        super().__init__()
        self.value, self.share = value, keras.metrics.Mean("share")

    def call(self, x):
        self.share.update_state(self.value)
        return x


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras's JAX trainer has no metrics of layers")
def test_metrics_of_layers_with_one_name_are_logged_as_their_mean():
    class Both(Linear):
        def __init__(self):
            super().__init__()
            self.measured = [Measured(0.25), Measured(0.75)]

        def call(self, x, training=False):
            return super().call(self.measured[1](self.measured[0](x)), training)

    model = Both()
    model.compile("sgd", "mse")
    assert step(model)["share"] == pytest.approx(0.5)
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["share"] == pytest.approx(0.5)
