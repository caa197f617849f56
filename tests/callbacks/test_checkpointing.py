"""What is saved, what is kept, which is best, and how a stop ends."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from kt2t.callbacks import Checkpointing
from kt2t.callbacks.checkpointing import read_best, write_best


@pytest.fixture
def disk(monkeypatch):
    """`kt2t.training.checkpoints`, as a record of what it was asked."""
    import kt2t.training

    fake = ModuleType("kt2t.training.checkpoints")
    fake.saved, fake.pruned = [], []
    fake.save = lambda folder, model, step, recipe=None, extra=None: fake.saved.append((step, recipe, extra))
    fake.prune = lambda folder, keep_last, keep, newest=None: fake.pruned.append((keep_last, set(keep)))
    monkeypatch.setitem(sys.modules, "kt2t.training.checkpoints", fake)
    monkeypatch.setattr(kt2t.training, "checkpoints", fake, raising=False)
    return fake


def begun(callback, start=0):
    model = SimpleNamespace(optimizer=SimpleNamespace(iterations=start), stop_training=False)
    callback.set_model(model)
    callback.on_train_begin()
    return model


def epochs(callback, *logs, start=0):
    model = begun(callback, start)
    for epoch, one in enumerate(logs):
        model.optimizer.iterations += 100
        callback.on_epoch_end(epoch, one)
        if model.stop_training:
            break
    callback.on_train_end({})
    return model


def test_saves_at_each_epoch_end_with_recipe_and_metrics(disk, tmp_path):
    epochs(Checkpointing(tmp_path, recipe={"train": {}}), {"loss": 2.0, "val_loss": 1.5}, {"loss": 1.0})
    assert disk.saved == [
        (100, {"train": {}}, {"metrics": {"loss": 2.0, "val_loss": 1.5}}),
        (200, {"train": {}}, {"metrics": {"loss": 1.0}}),
    ]
    assert disk.pruned[-1] == (3, set())


def test_the_best_is_kept_and_written_down(disk, tmp_path):
    logs = [{"validation_bleu": value} for value in (10.0, 30.0, 20.0, float("nan"), 30.0)]
    epochs(Checkpointing(tmp_path, keep=2, best="bleu"), *logs)
    assert [keep for _, keep in disk.pruned][:5] == [{100}, {200}, {200}, {200}, {200}]
    assert read_best(tmp_path) == {"step": 200, "metric": "bleu", "value": 30.0, "since": [300, 400, 500]}
    assert [path.name for path in tmp_path.iterdir()] == ["best.json"]


def test_smaller_is_better_for_a_loss(disk, tmp_path):
    epochs(Checkpointing(tmp_path, best="validation loss"), *({"val_loss": v, "loss": 0.0} for v in (3.0, 2.0, 2.5)))
    assert read_best(tmp_path) == {"step": 200, "metric": "loss", "value": 2.0, "since": [300]}


def test_the_best_survives_a_restart(disk, tmp_path):
    epochs(Checkpointing(tmp_path, best="bleu"), {"validation_bleu": 30.0})
    epochs(Checkpointing(tmp_path, best="bleu"), {"validation_bleu": 20.0}, start=100)
    assert read_best(tmp_path)["step"] == 100
    epochs(Checkpointing(tmp_path, best="loss"), {"val_loss": 5.0}, start=200)
    assert read_best(tmp_path) == {"step": 300, "metric": "loss", "value": 5.0, "since": []}


def test_a_damaged_best_is_no_best(tmp_path):
    assert read_best(tmp_path) is None
    for text in ("{", "[]", '{"step": 1}'):
        (tmp_path / "best.json").write_text(text)
        assert read_best(tmp_path) is None
    write_best(tmp_path, {"step": 1, "metric": "bleu", "value": 2.0})
    assert json.loads((tmp_path / "best.json").read_text()) == {"step": 1, "metric": "bleu", "value": 2.0}


def test_a_metric_that_is_not_there_is_told_once(disk, tmp_path, caplog):
    epochs(Checkpointing(tmp_path, best="rouge"), {"val_loss": 1.0}, {"val_loss": 1.0})
    (told,) = caplog.messages
    assert "best: 'rouge' was not measured" in told and "Measured there: loss" in told and len(disk.saved) == 2


def test_without_every_epoch_only_better_ones_and_the_end_are_saved(disk, tmp_path):
    logs = [{"validation_bleu": value} for value in (10.0, 5.0, 20.0, 5.0, 5.0)]
    epochs(Checkpointing(tmp_path, every_epoch=False, best="bleu"), *logs)
    assert [step for step, *_ in disk.saved] == [100, 300, 500]


def test_nothing_new_is_not_saved_again(disk, tmp_path):
    epochs(Checkpointing(tmp_path), start=500)
    assert disk.saved == []


def test_a_stop_saves_after_the_running_batch(disk, tmp_path):
    callback = Checkpointing(tmp_path, best="loss")
    model = begun(callback)
    model.optimizer.iterations = 41
    callback.on_train_batch_end(40, {"loss": 1.0})
    assert disk.saved == [] and not model.stop_training
    model.stop_signal = 15
    model.optimizer.iterations = 42
    callback.on_train_batch_end(41, {"loss": 1.0})
    assert [step for step, *_ in disk.saved] == [42]
    assert model.stop_training
    callback.on_test_batch_end(0)  # Keras evaluates before it sees the end of the epoch
    assert model.stop_evaluating
    callback.on_epoch_end(0, {"loss": 1.0, "val_loss": 0.1})
    callback.on_train_end({})
    assert [step for step, *_ in disk.saved] == [42]
    assert read_best(tmp_path) is None, "a part of the validation split decides nothing"


def test_values_of_a_part_of_the_split_are_not_kept(disk, tmp_path):
    """A stop during the evaluation: what was measured so far must not pass for the step's values when the run goes on."""
    callback = Checkpointing(tmp_path, best="loss")
    model = begun(callback)
    model.optimizer.iterations = 100
    model.stop_signal = 15
    callback.on_test_batch_end(3)
    callback.on_epoch_end(0, {"loss": 1.0, "val_loss": 0.1})
    assert disk.saved == [(100, None, {"metrics": {"loss": 1.0}})]


def test_keep_is_checked(tmp_path):
    with pytest.raises(ValueError, match="keep: 0 is not positive"):
        Checkpointing(tmp_path, keep=0)


def test_a_stop_within_fit(disk, tmp_path):
    """Keras itself: a stop asked for in the third step of an epoch ends there, after one batch of evaluation."""
    import keras
    import numpy as np

    class Asks(keras.callbacks.Callback):
        evaluated = 0

        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations == 7:
                self.model.stop_signal = 15

        def on_test_batch_end(self, batch, logs=None):
            self.evaluated += 1

    callback, asks = Checkpointing(tmp_path, best="loss"), Asks()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x, y = np.ones((20, 2), "float32"), np.ones((20, 1), "float32")
    model.fit(x, y, batch_size=4, epochs=5, validation_data=(x, y), callbacks=[asks, callback], verbose=0)
    assert int(model.optimizer.iterations) == 8
    assert [step for step, *_ in disk.saved] == [5, 8]
    assert asks.evaluated == 5 + 1
    assert read_best(tmp_path)["step"] == 5
