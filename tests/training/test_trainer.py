"""What `compile` and `fit` do on every backend; `test_jax_trainer.py` runs this file once more on JAX."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.errors import NumericsError
from kt2t.ops import randomness
from kt2t.training import shared_trainer
from kt2t.training.trainer import Trainer

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(10, 3)).astype("float32")
Y = DRAW.normal(size=(10, 2)).astype("float32")
W = DRAW.uniform(size=10).astype("float32")
START = DRAW.normal(size=(3, 2)).astype("float32")


class Linear(Trainer):
    """y = x · kernel, with noise from the trainer's root where asked for."""

    def __init__(self, noise=0.0, penalty=0.0, **options):
        super().__init__(**options)
        self.noise, self.penalty = noise, penalty
        self.kernel = self.add_weight(shape=(3, 2), name="kernel")
        self.kernel.assign(START)
        self.built = True

    def call(self, x, training=False):
        if self.penalty:
            self.add_loss(self.penalty * keras.ops.sum(keras.ops.square(self.kernel)))
        y = keras.ops.matmul(x, self.kernel)
        seed = randomness.layer_seed(self) if training and self.noise else None
        return y if seed is None else y + self.noise * keras.random.normal(keras.ops.shape(y), seed=seed)


def compiled(optimizer=None, loss="mse", noise=0.0, penalty=0.0, **options):
    model = Linear(noise, penalty)
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss, **options)
    return model


def fit(model, x=X, y=Y, weights=W, **options):
    return model.fit(x, y, sample_weight=weights, batch_size=4, shuffle=False, verbose=0, **options).history


def oracle(epochs=1, rate=0.1, clip=None, momentum=0.0):
    """Gradient descent by hand on batches of 4, 4 and 2: kernel, loss and last norm."""
    kernel, velocity, history = START.astype("float64"), 0.0, []
    for _ in range(epochs):
        total, norm = 0.0, 0.0
        for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):
            error = X[rows] @ kernel - Y[rows]
            total += ((error**2).mean(-1) * W[rows]).sum()
            gradient = X[rows].T @ (error * W[rows, None]) / W[rows].sum()
            norm = np.sqrt((gradient**2).sum())
            gradient = gradient * min(1.0, clip / norm) if clip else gradient
            velocity = momentum * velocity - rate * gradient
            kernel = kernel + velocity
        history.append(total / W.sum())
    return kernel, history, norm


def kernel(model):
    return keras.ops.convert_to_numpy(model.kernel)


def test_fit_is_weighted_gradient_descent_and_the_epochs_loss_a_ratio_of_sums():
    model = compiled()
    history = fit(model, epochs=2)
    expected, losses, norm = oracle(epochs=2)
    np.testing.assert_allclose(kernel(model), expected, rtol=1e-5)
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    assert history["gradient_norm"][-1] == pytest.approx(norm, rel=1e-5)
    assert history["learning_rate"] == pytest.approx([0.1, 0.1])
    assert history["bad_steps"] == [0, 0]
    assert int(model.optimizer.iterations) == 6


@pytest.mark.parametrize("clip", [0.05, 0.3, 100.0])
def test_global_clipping(clip):
    model = compiled(keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=clip))
    history = fit(model, epochs=2)
    expected, _, norm = oracle(epochs=2, clip=clip, momentum=0.9)
    np.testing.assert_allclose(kernel(model), expected, rtol=1e-5)
    assert history["gradient_norm"][-1] == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize("every", [None, 2])
def test_an_average_of_the_weights_takes_their_place_now_and_then_and_at_the_end(every):
    model = compiled(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=every))
    model.fit(X, Y, batch_size=2, shuffle=False, verbose=0)
    weights, average = START.astype("float64"), None
    for step in range(5):
        rows = slice(2 * step, 2 * step + 2)
        weights = weights - 0.1 * X[rows].T @ (X[rows] @ weights - Y[rows]) / 2
        average = weights if average is None else 0.8 * average + 0.2 * weights
        weights = average if every and (step + 1) % every == 0 else weights
    np.testing.assert_allclose(kernel(model), average, rtol=1e-5)


def test_evaluation_is_weighted_alike():
    model = compiled(metrics=["mae"], weighted_metrics=[keras.metrics.MeanSquaredError(name="square")])
    found = model.evaluate(X, Y, sample_weight=W, batch_size=4, verbose=0, return_dict=True)
    error = X @ START - Y
    square = ((error**2).mean(-1) * W).sum() / W.sum()
    assert found == pytest.approx(
        {"loss": square, "square": square, "mae": (np.abs(error).mean(-1) * W).sum() / W.sum()}, rel=1e-5
    )


def test_validation_and_metrics_stand_in_the_history():
    model = compiled(metrics=["mae"])
    history = fit(model, validation_data=(X, Y, W))
    assert {"loss", "mae", "val_loss", "val_mae", "gradient_norm", "learning_rate", "bad_steps"} == set(history)
    again = model.evaluate(X, Y, sample_weight=W, verbose=0)
    assert again == pytest.approx([history["val_loss"][0], history["val_mae"][0]], rel=1e-5)


def test_metrics_can_wait_for_evaluation():
    history = fit(compiled(metrics=["mae"], metrics_in_training=False), validation_data=(X, Y, W))
    assert "val_mae" in history and "mae" not in history


def test_extra_losses_of_layers_are_added_in_training():
    model = compiled(penalty=0.5)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(((X @ START - Y) ** 2).mean(), rel=1e-5)
    fit(model)
    assert np.abs(kernel(model)).sum() < np.abs(START).sum()


def test_the_losses_of_layers_are_enough():
    model = compiled(loss=None, penalty=0.5)
    model.fit(X, batch_size=5, verbose=0)
    assert np.abs(kernel(model)).sum() < np.abs(START).sum() and model.tokens_seen == len(X)


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted():
    bad = X.copy()
    bad[5, 0] = np.nan
    states = []

    class Watcher(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            values = [*self.model.trainable_variables, *self.model.optimizer.variables]
            states.append([np.array(keras.ops.convert_to_numpy(one)) for one in values])

    model = compiled(keras.optimizers.Adam(0.1, global_clipnorm=1.0))
    history = fit(model, bad, Y, None, callbacks=[Watcher()])
    for before, after in zip(states[0], states[1], strict=True):
        if before.dtype.kind == "f":
            np.testing.assert_array_equal(before, after)
    assert np.abs(states[2][0] - states[1][0]).max() > 0.01
    assert int(model.optimizer.iterations) == 3
    assert history["bad_steps"] == [1]
    assert np.isfinite(history["loss"][0])


def test_a_step_that_is_not_finite_leaves_the_statistics_of_the_data_as_they_were():
    class Normalised(Trainer):
        def __init__(self):
            super().__init__()
            self.norm, self.dense = keras.layers.BatchNormalization(), keras.layers.Dense(2)

        def call(self, x, training=False):
            return self.dense(self.norm(x, training=training))

    model = Normalised()
    model.compile("sgd", "mse")
    found = []
    for x in (X, X * np.nan, X):
        logs = model.train_on_batch(x, Y, return_dict=True)
        found.append([keras.ops.convert_to_numpy(one).copy() for one in model.non_trainable_weights])
        assert logs["bad_steps"] == np.isnan(x).any()
    for first, second, third in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)
        assert np.abs(third - first).max() > 1e-3


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}, {"micro_batches": 2}], ids=str)
@pytest.mark.parametrize("row", [0, 5])
def test_a_step_that_is_not_finite_has_no_part_in_the_metrics(options, row):
    bad = X.copy()
    bad[row, 0] = np.nan
    model = compiled(keras.optimizers.SGD(0.0), metrics=["mae"], **options)
    history = fit(model, x=bad)
    first = row // 4 * 4
    kept = np.delete(np.arange(len(X)), slice(first, first + 4))
    wanted = np.abs(X @ START - Y).mean(-1)[kept] @ W[kept] / W[kept].sum()
    assert history["mae"] == pytest.approx([wanted], rel=1e-5) and history["bad_steps"] == [1]


def test_nothing_but_bad_steps_stops_training():
    model = compiled(max_bad_steps=10)
    with pytest.raises(NumericsError, match="not finite"):
        model.fit(X * np.inf, Y, batch_size=2, epochs=8, verbose=0)
    np.testing.assert_array_equal(kernel(model), START)


def test_a_fit_that_a_signal_stops_does_not_evaluate():
    """Keras would take one batch of it, and trace it first; afterwards the model can be evaluated as before."""

    class Asks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.ask_to_stop(15)
            self.model.stop_training = True

        def on_test_begin(self, logs=None):
            raise AssertionError

    model = compiled()
    history = model.fit(X, Y, validation_data=(X, Y), epochs=3, verbose=0, callbacks=[Asks()]).history
    assert len(history["loss"]) == 1 and "val_loss" not in history
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["loss"] > 0


def test_noise_is_a_function_of_seed_and_step():
    found = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        model = compiled(noise=0.5, seed=seed)
        fit(model, epochs=2)
        found[name] = kernel(model)
    np.testing.assert_array_equal(found["one"], found["again"])
    assert np.abs(found["one"] - found["other"]).max() > 1e-4


def test_steps_of_an_epoch_continue_the_same_data():
    def endless():
        step = 0
        while True:
            yield np.full((2, 3), float(step), "float32"), np.zeros((2, 2), "float32")
            step += 1

    seen = []
    watcher = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["gradient_norm"]))
    model = compiled(keras.optimizers.SGD(0.0))
    model.fit(endless(), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[watcher])
    error = np.full((1, 3), 1.0) @ START.astype("float64")
    assert seen == pytest.approx([step**2 * np.sqrt(3 * (error**2).sum()) for step in range(6)], rel=1e-4)


class Batches:
    """What kt2t's reader looks like from here."""

    def __init__(self, rows, repeat=False, start=0):
        self.rows, self.repeat, self.start = rows, repeat, start

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        step = self.start
        while self.repeat or step < len(self.rows):
            rows = self.rows[step % len(self.rows)]
            yield X[rows], Y[rows], W[rows]
            step += 1

    def dataset(self):
        if keras.backend.backend() != "tensorflow":
            return iter(self)
        import tensorflow as tf

        kinds = tuple(tf.TensorSpec((None, *one.shape[1:]), one.dtype) for one in (X, Y, W))
        return tf.data.Dataset.from_generator(lambda: iter(self), output_signature=kinds)


SLICES = [slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 8), slice(8, 10)]


@pytest.mark.parametrize("repeat", [False, True])
def test_every_validation_sees_all_batches(repeat):
    model = compiled(keras.optimizers.SGD(0.0), metrics=["mae"])
    data = Batches(SLICES, repeat)
    history = model.fit(data, validation_data=Batches(SLICES), epochs=3, verbose=0).history
    expected = model.evaluate(X, Y, sample_weight=W, verbose=0)
    for epoch in zip(history["val_loss"], history["val_mae"], strict=True):
        assert epoch == pytest.approx(expected, rel=1e-5)
    assert history["loss"] == pytest.approx([expected[0]] * 3, rel=1e-5)
    for _ in range(2):
        assert model.evaluate(Batches(SLICES), verbose=0) == pytest.approx(expected, rel=1e-5)
    late = Batches(SLICES, start=3)
    found = model.evaluate(late, verbose=0)
    assert found == pytest.approx(model.evaluate(X[4:], Y[4:], sample_weight=W[4:], verbose=0), rel=1e-5)
    np.testing.assert_allclose(model.predict(late, verbose=0), X[4:] @ START, rtol=1e-5)


def test_packed_batches_are_refused_by_a_model_that_would_mix_their_examples():
    model, data = compiled(keras.optimizers.SGD(0.0)), Batches(SLICES)
    data.packed = True
    model.fit(data, verbose=0)
    model.takes_packed_rows = False
    with pytest.raises(ValueError, match="reads one example a row, and these batches are packed. Leave out pack"):
        model.fit(data, verbose=0)


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_tokens_seen_grow_over_the_whole_run_by_the_weights(steps_per_execution):
    model = compiled(steps_per_execution=steps_per_execution)
    fit(model, epochs=2)
    assert model.tokens_seen == pytest.approx(2 * W.sum()) and model.tokens_seen == pytest.approx(2 * W.sum())
    history = fit(model, weights=None)
    assert model.tokens_seen == pytest.approx(2 * W.sum() + len(X))
    assert not [name for name in history if "token" in name]


def test_tokens_that_nobody_asks_for_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(shared_trainer, "_UNREAD", 4)
    model = compiled()
    fit(model, epochs=5)
    assert len(model._tokens_unread) <= 4
    assert model.tokens_seen == pytest.approx(5 * W.sum())


def test_many_steps_in_one_call():
    one, many = compiled(), compiled(steps_per_execution=2)
    assert fit(many, epochs=2)["loss"] == pytest.approx(fit(one, epochs=2)["loss"])
    np.testing.assert_allclose(kernel(many), kernel(one))
    assert int(many.optimizer.iterations) == 6


def test_eager_equals_compiled():
    eager = compiled(run_eagerly=True)
    fit(eager)
    np.testing.assert_allclose(kernel(eager), oracle()[0], rtol=1e-5)


def test_the_wait_for_data_is_timed_apart():
    model = compiled()
    fit(model)
    assert 0 < model.input_seconds and 0 < model.step_seconds


def test_a_compiled_function_sees_new_weights():
    model = compiled()
    run = model._compiled(lambda tensors: {"y": model(tensors["x"])})
    for _ in range(2):
        x = keras.ops.convert_to_tensor(X)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(run({"x": x})["y"]), X @ kernel(model), rtol=1e-5)
        model.kernel.assign(START + 1)


def test_what_compile_was_given_can_be_saved():
    model = compiled(keras.optimizers.SGD(0.1, global_clipnorm=0.3), metrics=["mae"], seed=3)
    config = model.get_compile_config()
    again = Linear()
    again.compile_from_config(config)
    fit(again)
    np.testing.assert_allclose(kernel(again), oracle(clip=0.3)[0], rtol=1e-5)
    assert again._seed == 3


def test_a_functional_model_is_refused():
    inputs = keras.Input((3,))
    with pytest.raises(TypeError, match="a subclass with `call`"):
        Trainer(inputs, keras.layers.Dense(2)(inputs))
