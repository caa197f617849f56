"""When training stops by itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kt2t.callbacks import Checkpointing, EarlyStopping
from kt2t.callbacks.checkpointing import write_best


def stopped_at(folder, values, metric="bleu", patience=2, start=0, after=0):
    """The step at which training stops whose evaluations, every 10 steps from `start`, give these values."""
    checkpointing = Checkpointing(folder, best=metric)
    checkpointing._save = lambda step, logs: None
    stopping = EarlyStopping(folder, metric, patience, after)
    model = SimpleNamespace(optimizer=SimpleNamespace(iterations=start), stop_training=False)
    for callback in (checkpointing, stopping):
        callback.set_model(model)
        callback.on_train_begin()
    for value in values:
        model.optimizer.iterations += 10
        checkpointing.on_epoch_end(0, {f"val_{metric}": value})
        stopping.on_epoch_end(0, {})
        if model.stop_training:
            return model.optimizer.iterations
    return None


def test_loss_stops_when_it_no_longer_falls(tmp_path):
    values = (3.0, 2.0, 2.5, 2.4, 2.3, 1.0)
    assert stopped_at(tmp_path / "a", values, "loss", 3) == 50
    assert stopped_at(tmp_path / "b", values, "loss", 4) is None


def test_bleu_stops_when_it_no_longer_rises(tmp_path):
    assert stopped_at(tmp_path, (1.0, 2.0, 3.0, 2.0, 3.0), "bleu", 2) == 50


@pytest.mark.parametrize("cut", range(1, 6))
def test_cut_anywhere_it_stops_at_the_same_step(tmp_path, cut):
    values = (1.0, 3.0, 2.0, 3.0, 2.5, 9.0)
    assert stopped_at(tmp_path / "whole", values, patience=3) == 50
    first = stopped_at(tmp_path / "cut", values[:cut], patience=3)
    if cut < 5:
        assert first is None
        # A kill may come after the evaluation was written down and before its step counted as done: it is judged again.
        assert stopped_at(tmp_path / "cut", values[cut - 1 :], patience=3, start=10 * (cut - 1)) == 50


def test_going_back_to_an_earlier_step_counts_anew_what_came_after_it(tmp_path):
    assert stopped_at(tmp_path, (5.0, 1.0, 1.0), patience=3) is None
    assert stopped_at(tmp_path, (1.0, 1.0), patience=3, start=10) is None, "steps 20 and 30 a second time"
    assert stopped_at(tmp_path, (1.0,), patience=3, start=30) == 40


def test_what_was_evaluated_up_to_a_step_can_be_left_out(tmp_path):
    assert stopped_at(tmp_path, (5.0, 1.0, 1.0)) == 30
    assert stopped_at(tmp_path, (1.0, 1.0, 1.0), start=30, after=30) == 50


def test_only_evaluations_of_its_metric_count(tmp_path):
    write_best(tmp_path, {"step": 10, "metric": "loss", "value": 1.0, "since": [20, 30, 40]})
    assert EarlyStopping(tmp_path, "val_loss", 3).is_over()
    assert not EarlyStopping(tmp_path, "bleu", 3).is_over()
    assert not EarlyStopping(tmp_path / "none", "loss", 3).is_over()
    write_best(tmp_path, {"step": 10, "metric": "loss", "value": 1.0})
    assert not EarlyStopping(tmp_path, "loss", 1).is_over()


def test_patience_is_checked(tmp_path):
    with pytest.raises(ValueError, match="patience: 0 is not positive"):
        EarlyStopping(tmp_path, "loss", patience=0)
