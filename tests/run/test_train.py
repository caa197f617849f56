"""Training from a recipe, and going on with it: killed at any moment, a run ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from kt2t.callbacks.checkpointing import write_best
from kt2t.errors import RunError
from kt2t.recipe_file import load
from kt2t.run.folder import RunFolder
from kt2t.run.train import train
from kt2t.training.checkpoints import saved, verify

CODE = """
import sys
from kt2t.recipe_file import load
from kt2t.run.folder import RunFolder
from kt2t.run.train import train
recipe = load(sys.argv[1], sys.argv[3:])
recipe.check()
outcome = train(recipe, sys.argv[2])
sys.exit(128 + outcome.signal if outcome.signal else 0)
"""

QUICK = ("report.score=false", "report.best=loss", "report.attention_maps=false")


def _arrays(folder, step):
    found = {}
    for name in ("model", "optimizer"):
        found.update(load_file(folder / "checkpoints" / f"step-{step}" / f"{name}.safetensors"))
    return found


def _start(file, run, *overrides):
    return subprocess.Popen([sys.executable, "-c", CODE, str(file), str(run), *overrides], stderr=subprocess.PIPE)


def _assert_equal(first, again):
    assert first.keys() == again.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], again[name], err_msg=name)


def test_a_run_leaves_what_it_should(tiny_run):
    assert {"recipe.yaml", "run.json", "vocabularies", "checkpoints", "tensorboard", "log.txt"} <= set(
        os.listdir(tiny_run)
    )
    assert (tiny_run / "checkpoints" / "step-12").is_dir() and (tiny_run / "checkpoints" / "best.json").is_file()
    assert (tiny_run / "evaluation-validation.json").is_file()
    assert list(tiny_run.rglob("events.out.tfevents*"))


def test_a_finished_run_says_so_and_more_steps_go_on(tiny, tmp_path, caplog):
    recipe = load(str(tiny), ["train.steps=4", *QUICK])
    assert train(recipe, tmp_path / "run").step == 4
    with caplog.at_level("INFO", logger="kt2t"):
        again = train(recipe, tmp_path / "run")
    assert again.step == 4 and again.evaluation is None and "is finished" in caplog.text
    assert train(load(str(tiny), ["train.steps=6", *QUICK]), tmp_path / "run").step == 6


def test_another_recipe_in_the_folder_is_refused_before_any_work(tiny, tmp_path):
    train(load(str(tiny), ["train.steps=2", *QUICK]), tmp_path / "run")
    with pytest.raises(RunError, match=r"model\.num_layers: 1 there, 2 here"):
        train(load(str(tiny), ["model.num_layers=2"]), tmp_path / "run")


def test_killed_and_run_again_it_is_bit_identical(tiny, tmp_path):
    """kill -9 at three moments of the run, the same command each time; every checkpoint equals the undisturbed run's."""
    overrides = ("train.steps=60", "train.deterministic=true", "report.every=5", "report.keep=12", *QUICK)
    assert _start(tiny, tmp_path / "whole", *overrides).wait() == 0
    generator = random.Random(3)
    killed = 0
    for _ in range(12):
        process = _start(tiny, tmp_path / "killed", *overrides)
        wanted = len(list((tmp_path / "killed").glob("checkpoints/step-*"))) + 1
        while process.poll() is None and killed < 3:
            if len(list((tmp_path / "killed").glob("checkpoints/step-*"))) >= min(wanted, 5):
                time.sleep(generator.random() * 0.2)
                process.kill()
                killed += 1
                break
            time.sleep(0.005)
        if process.wait() == 0:
            break
    assert killed >= 1
    _assert_equal(_arrays(tmp_path / "whole", 60), _arrays(tmp_path / "killed", 60))
    whole, again = _written(tmp_path / "whole"), _written(tmp_path / "killed")
    assert len(whole) == 12 and whole == again
    assert _best(tmp_path / "whole") == _best(tmp_path / "killed")


def _written(run):
    """The bytes of each file of arrays, by step and name, as their sha256."""
    return {path.name: {n: f["sha256"] for n, f in verify(path).files.items()} for path in saved(run / "checkpoints")}


def _best(run):
    return json.loads((run / "checkpoints" / "best.json").read_text())


# The loss falls, then a learning rate that is far too high lets it rise: the best step is an early one.
WORSE = ("optimizer.learning_rate=0.5", "report.patience=3", "report.every=4", *QUICK)


def test_patience_ends_a_run_and_a_killed_one_at_the_same_step(tiny, tmp_path):
    given = (*WORSE, "report.keep=100", "train.deterministic=true")
    assert _start(tiny, tmp_path / "whole", "train.steps=400", *given).wait() == 0
    end, best = RunFolder(tmp_path / "whole").manifest()["evaluated"], _best(tmp_path / "whole")
    assert 0 < end < 400 and best["since"] == [end - 8, end - 4, end]
    losses = {
        one.step: one.extra["metrics"]["val_loss"] for one in map(verify, saved(tmp_path / "whole" / "checkpoints"))
    }
    assert min(losses, key=losses.get) == best["step"] == end - 12

    # It is cut off after two evaluations, the second time before that one was written down.
    for step in (end - 8, end - 4):
        assert _start(tiny, tmp_path / "cut", f"train.steps={step}", *given).wait() == 0
    assert _best(tmp_path / "cut") == {**best, "since": [end - 8, end - 4]}
    write_best(tmp_path / "cut" / "checkpoints", {**best, "since": [end - 8]})
    assert _start(tiny, tmp_path / "cut", "train.steps=400", *given).wait() == 0
    assert _best(tmp_path / "cut") == best and _written(tmp_path / "whole") == _written(tmp_path / "cut")


def test_a_run_that_ended_early_says_so_and_goes_on_with_more_patience_or_steps(tiny, tmp_path, caplog):
    with caplog.at_level("INFO", logger="kt2t"):
        ended = train(load(str(tiny), ("train.steps=400", *WORSE)), tmp_path / "run").step
        assert f"training ends at step {ended} of 400: loss has not improved since step {ended - 12}" in caplog.text
        again = train(load(str(tiny), ("train.steps=400", *WORSE)), tmp_path / "run")
    assert again.step == ended and again.evaluation is None
    assert "is finished" in caplog.text and "because loss has not improved" in caplog.text
    assert "Give a larger report.patience or train.steps" in caplog.text
    patient = (*WORSE, "report.patience=4")
    assert train(load(str(tiny), ("train.steps=400", *patient)), tmp_path / "run").step >= ended + 4
    ended = RunFolder(tmp_path / "run").manifest()["step"]
    assert train(load(str(tiny), ("train.steps=404", *WORSE)), tmp_path / "run").step >= ended + 3 * 4


def test_a_signal_saves_and_the_same_command_goes_on(tiny, tmp_path):
    overrides = ("train.steps=100000", "report.every=100000", *QUICK)
    process = _start(tiny, tmp_path / "run", *overrides)
    while not (tmp_path / "run" / "run.json").exists() or not list((tmp_path / "run").rglob("events.out*")):
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        time.sleep(0.05)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    (saved,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    step = int(saved.name[5:])
    assert step > 0
    outcome = train(load(str(tiny), [*overrides[1:], f"train.steps={step + 2}"]), tmp_path / "run")
    assert outcome.step == step + 2


def test_what_a_kill_cut_off_at_the_end_of_an_epoch_is_done_before_going_on(tiny, tmp_path):
    """Killed after the last checkpoint and before its evaluation, and killed before the best step was written down."""
    recipe = load(str(tiny), ["train.steps=8"])
    recipe.check()
    whole = train(recipe, tmp_path / "run")
    best = (tmp_path / "run" / "checkpoints" / "best.json").read_text()
    (tmp_path / "run" / "checkpoints" / "best.json").unlink()
    folder = RunFolder(tmp_path / "run")
    folder.update(evaluated=None)
    (tmp_path / "run" / "evaluation-validation.json").unlink()
    again = train(recipe, tmp_path / "run")
    assert again.evaluation is not None and again.evaluation.values() == whole.evaluation.values()
    kept = json.loads((tmp_path / "run" / "checkpoints" / "best.json").read_text())
    assert kept["metric"] == json.loads(best)["metric"] and kept["step"] == 8


def test_a_changed_report_and_more_steps_are_kept_with_the_run(tiny, tmp_path):
    train(load(str(tiny), ["train.steps=2", *QUICK]), tmp_path / "run")
    train(load(str(tiny), ["train.steps=3", *QUICK, "report.decode={type: Beam, beams: 3}"]), tmp_path / "run")
    kept = RunFolder(tmp_path / "run").recipe()
    assert kept.train.steps == 3 and kept.nodes["report"]["decode"]["beams"] == 3
    assert kept.nodes["train"]["dtype"] == "float32"


@pytest.mark.parametrize("override", ["problem.max_length=0", "model.num_heads=3"])
def test_what_is_refused_before_anything_was_said_leaves_no_folder(tiny, tmp_path, override):
    with pytest.raises(ValueError, match=override.partition("=")[0].partition(".")[2]):
        train(load(str(tiny), [override]), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
