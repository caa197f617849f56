"""The newest checkpoint of a run, where later ones are gone or damaged."""

import json
import shutil

import pytest

from kt2t.recipe_file import load
from kt2t.run.folder import RunFolder
from kt2t.run.newest import newest_checkpoint, trained_to
from kt2t.run.restore import restored
from kt2t.run.train import train


@pytest.fixture
def copied(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_nothing_is_said_of_a_whole_run(copied, caplog):
    assert newest_checkpoint(RunFolder(copied)).name == "step-12" and not caplog.text
    assert trained_to(RunFolder(copied)) == 12


def test_an_older_checkpoint_is_said_where_the_newest_is_gone(copied, caplog):
    shutil.rmtree(copied / "checkpoints" / "step-12")
    assert restored(copied, "last").step == 8
    assert f"{copied} was trained to step 12, but the checkpoint of that step is gone: using step-8" in caplog.text


def test_a_damaged_one_is_said_with_its_reason_alone(copied, caplog):
    (copied / "checkpoints" / "step-12" / "manifest.json").write_text("{}")
    assert newest_checkpoint(RunFolder(copied)).name == "step-8"
    assert "step-12" in caplog.text and "Taking the one before" in caplog.text and "gone" not in caplog.text


def test_a_killed_run_is_known_by_its_evaluations(copied, caplog):
    RunFolder(copied).update(step=0)
    best = copied / "checkpoints" / "best.json"
    best.write_text(json.dumps({**json.loads(best.read_text()), "step": 4, "since": [8, 12]}))
    shutil.rmtree(copied / "checkpoints" / "step-12")
    assert newest_checkpoint(RunFolder(copied)).name == "step-8" and "trained to step 12" in caplog.text


def test_training_says_so_too_and_goes_on_from_there(tiny, tmp_path, caplog):
    quick = ("report.score=false", "report.best=~", "report.attention_maps=false")
    assert train(load(str(tiny), ["train.steps=8", *quick]), tmp_path / "run").step == 8
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-8")
    assert train(load(str(tiny), ["train.steps=8", *quick]), tmp_path / "run").step == 8
    assert "trained to step 8, but the checkpoint of that step is gone: using step-4" in caplog.text
