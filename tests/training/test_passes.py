"""How `fit`, `evaluate` and `predict` go through kt2t's `Batches`; `test_jax_trainer.py` runs this file once more on JAX."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from kt2t.training.passes import continued, epochs_of, is_batches, is_endless, one_pass
from kt2t.training.trainer import Trainer

COUNT = 3
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(COUNT, 4, 3)).astype("float32"), DRAW.normal(size=(COUNT, 4, 2)).astype("float32")
START = DRAW.normal(size=(3, 2)).astype("float32")
LOSSES = ((X @ START - Y) ** 2).mean((1, 2))  # of each batch


class Batches:
    """As kt2t's reader gives them: three batches, endlessly or once."""

    failure = None

    def __init__(self, start=0, repeat=True):
        self.start, self.repeat = start, repeat

    def __len__(self):
        return COUNT

    def __iter__(self):
        for step in itertools.count(self.start) if self.repeat else range(self.start, COUNT):
            yield X[step % COUNT], Y[step % COUNT], np.ones(4, "float32")

    def at(self, start):
        return Batches(start, self.repeat)

    def dataset(self):
        if keras.backend.backend() == "jax":
            return iter(self)
        import tensorflow as tf

        spec = [tf.TensorSpec((None, size), tf.float32) for size in (3, 2)] + [tf.TensorSpec((None,), tf.float32)]
        return tf.data.Dataset.from_generator(lambda: iter(self), output_signature=tuple(spec))


class WithOnce(Batches):
    def once(self):
        return Batches(repeat=False)


class Linear(Trainer):
    def __init__(self):
        super().__init__()
        self.kernel = self.add_weight(shape=(3, 2), name="kernel")
        self.kernel.assign(START)
        self.built = True

    def call(self, x):
        return keras.ops.matmul(x, self.kernel)


def model(rate=0.0):
    made = Linear()
    made.compile(keras.optimizers.SGD(rate), "mse")
    return made


def test_fit_in_rounds_trains_on_all_batches():
    one = model()
    losses = [one.fit(Batches(), steps_per_epoch=2, verbose=0).history["loss"][0] for _ in range(3)]
    wanted = [LOSSES[[0, 1]].mean(), LOSSES[[2, 0]].mean(), LOSSES[[1, 2]].mean()]
    assert losses == pytest.approx(wanted, rel=1e-5)


class Killed(Exception):
    """What ends a training."""


class KilledAfterAnEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise Killed


def test_a_training_restored_by_keras_goes_on_with_the_batches_that_follow(tmp_path):
    def fit(*callbacks, backup=None):
        one = model(rate=0.1)
        backups = [keras.callbacks.BackupAndRestore(str(backup))] if backup else []
        history = one.fit(Batches(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[*backups, *callbacks]).history
        return history["loss"], keras.ops.convert_to_numpy(one.kernel)

    with pytest.raises(Killed):
        fit(KilledAfterAnEpoch(), backup=tmp_path)
    (resumed, kernel), (whole, wanted) = fit(backup=tmp_path), fit()
    assert resumed == pytest.approx(whole[1:], rel=1e-6)
    np.testing.assert_allclose(kernel, wanted, rtol=1e-6)


def test_batches_that_were_told_where_to_begin_begin_there():
    one = model()
    for _ in range(2):
        loss = one.fit(Batches().at(1), steps_per_epoch=1, verbose=0).history["loss"][0]
        assert loss == pytest.approx(LOSSES[1], rel=1e-5)


def test_data_that_ends_begins_anew_as_in_keras():
    one = model()
    for _ in range(2):
        assert one.fit(Batches(repeat=False), verbose=0).history["loss"][0] == pytest.approx(LOSSES.mean(), rel=1e-5)
        found = one.fit(X[0], Y[0], batch_size=4, verbose=0).history["loss"][0]
        assert found == pytest.approx(LOSSES[0], rel=1e-5)


@pytest.mark.parametrize("kind", [Batches, WithOnce])
def test_evaluation_and_prediction_of_endless_batches_end_after_one_pass(kind):
    one = model()
    assert one.evaluate(kind(), verbose=0) == pytest.approx(LOSSES.mean(), rel=1e-5)
    predicted = one.predict(kind(), verbose=0)
    np.testing.assert_allclose(predicted, (X @ START).reshape(-1, 2), rtol=1e-4, atol=1e-5)
    history = one.fit(Batches(), steps_per_epoch=1, validation_data=kind(), verbose=0, epochs=2).history
    assert history["val_loss"] == pytest.approx([LOSSES.mean()] * 2, rel=1e-5)
    assert one.evaluate(kind(), steps=1, verbose=0) == pytest.approx(LOSSES[0], rel=1e-5)


def test_an_epoch_of_endless_batches_is_one_pass():
    endless, finite = Batches(), Batches(repeat=False)
    assert epochs_of(endless) == {"shuffle": False, "steps_per_epoch": COUNT}
    assert epochs_of(finite) == {"shuffle": False}
    assert epochs_of(np.ones(3)) == {} and epochs_of(None) == {}
    assert is_batches(finite) and not is_batches(np.ones(3)) and is_endless(endless) and not is_endless(finite)


def test_only_endless_batches_are_continued_or_cut():
    endless, finite, arrays = Batches(), Batches(repeat=False), np.ones(3)
    assert continued(endless, 5).start == 5 and continued(endless, 0) is endless
    assert continued(finite, 5) is finite and continued(arrays, 5) is arrays
    assert one_pass(endless) == (endless, COUNT) and one_pass(finite) == (finite, None) and one_pass(None) == (None, None)
    found, steps = one_pass(WithOnce())
    assert not found.repeat and steps is None
