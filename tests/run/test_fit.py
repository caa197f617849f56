"""What goes along with training: what a kill cut off at an epoch's end is made up for, and signals are noted."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest
from toy_model import Toy

from kt2t.recipe_file import load
from kt2t.run.fit import _stopping
from kt2t.run.signals import handled_by, repeats
from kt2t.run.train import train
from kt2t.training import checkpoints

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
QUICK = ("report.score=false", "report.best=loss", "report.attention_maps=false")


def curve(run, part, tag):
    found = accumulator.EventAccumulator(str(run / "tensorboard" / part), size_guidance={"scalars": 0}).Reload()
    return {point.step: point.value for point in found.Scalars(tag)}


def trained(tiny, run, steps, *overrides):
    return train(load(str(tiny), [f"train.steps={steps}", *QUICK, *overrides]), run)


def test_curves_are_whole_where_a_kill_came_between_a_checkpoint_and_its_figures(tiny, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    trained(tiny, whole, 8)
    trained(tiny, cut, 4)
    shutil.rmtree(cut / "tensorboard" / "validation")  # all that is written after the checkpoint of step 4
    trained(tiny, cut, 8)
    for part, tag in (("train", "loss"), ("train", "watch/gradient_norm"), ("validation", "loss")):
        expected = curve(whole, part, tag)
        assert expected.keys() == {4, 8}
        assert curve(cut, part, tag) == pytest.approx(expected, rel=1e-4), (part, tag)


def test_more_steps_a_call_than_led_to_a_checkpoint_do_not_go_beyond_the_end(tiny, tmp_path):
    trained(tiny, tmp_path / "run", 2)
    assert trained(tiny, tmp_path / "run", 8, "train.steps_per_call=4").step == 8
    assert [path.name for path in checkpoints.saved(tmp_path / "run" / "checkpoints")] == ["step-2", "step-4", "step-8"]


AVERAGES = ("optimizer.use_ema=true", "optimizer.ema_momentum=0.9")


@pytest.mark.parametrize("overrides", [(), AVERAGES], ids=["weights", "averages"])
def test_an_evaluation_that_was_cut_off_is_done_before_going_on(tiny, tmp_path, monkeypatch, overrides):
    run, save = tmp_path / "run", checkpoints.save

    def cut_off(folder, model, step, recipe=None, extra=None):
        """As a signal in the middle of the evaluation leaves it: without the figures of the validation split."""
        metrics = {name: value for name, value in extra["metrics"].items() if not name.startswith("val_")}
        return save(folder, model, step, recipe, {**extra, "metrics": metrics})

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", cut_off)
        trained(tiny, run, 4, *overrides)
    best = run / "checkpoints" / "best.json"
    wanted = json.loads(best.read_text())["value"]
    best.unlink()
    shutil.rmtree(run / "tensorboard" / "validation")
    assert trained(tiny, run, 8, *overrides).step == 8
    assert curve(run, "validation", "loss")[4] == pytest.approx(wanted, rel=1e-5)


def test_an_evaluation_of_averages_that_fails_leaves_weights_and_averages_in_their_places(tiny, tmp_path, monkeypatch):
    def fails(self, data):
        raise ZeroDivisionError

    given = ("train.deterministic=true", *AVERAGES)
    trained(tiny, tmp_path / "whole", 4, *given)
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(Toy, "test_step", fails)
        trained(tiny, tmp_path / "failed", 4, *given)
    whole, failed = (checkpoints.verify(tmp_path / run / "checkpoints" / "step-4") for run in ("whole", "failed"))
    assert {name: one["sha256"] for name, one in failed.files.items()} == {
        name: one["sha256"] for name, one in whole.files.items()
    }


class Model:
    """One that agrees at once, as one worker does, or never, as several do after their last word."""

    def __init__(self, agrees=True):
        self.asked, self.agrees, self.stop_signal = [], agrees, None

    def ask_to_stop(self, number):
        self.asked.append(number)
        self.stop_signal = number if self.agrees else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_its_repetitions_do_nothing(number):
    model, before = Model(), signal.getsignal(number)
    repeats.forget()
    with _stopping(model):
        for _ in range(4):
            os.kill(os.getpid(), number)
        assert model.asked == [number]
    assert signal.getsignal(number) is before


def test_a_signal_that_came_too_late_for_the_training_goes_where_it_went_before():
    seen = []
    repeats.forget()
    with handled_by(lambda number, frame: seen.append(number)):
        with _stopping(Model(agrees=False)):
            os.kill(os.getpid(), signal.SIGTERM)
            assert seen == []
        assert seen == [signal.SIGTERM]
