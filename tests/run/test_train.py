"""Training from a recipe, and going on with it: killed at any moment, a run ends as if nothing had happened."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kt2t.callbacks.checkpointing import write_best
from kt2t.cli.main import run
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

ROOT = Path(__file__).parents[2]
QUICK = ("report.score=false", "report.best=loss", "report.attention_maps=false")


@pytest.fixture
def start(nursery, tiny):
    """`start(run, *overrides)` starts or continues a run of the tiny recipe in a process of its own."""
    return lambda run, *overrides: nursery.start(str(tiny), str(run), *overrides, code=CODE)


def test_a_run_leaves_what_it_should(tiny_run):
    assert {"recipe.yaml", "run.json", "vocabularies", "checkpoints", "tensorboard", "log.txt"} <= set(
        os.listdir(tiny_run)
    )
    assert (tiny_run / "checkpoints" / "step-12").is_dir() and (tiny_run / "checkpoints" / "best.json").is_file()
    assert (tiny_run / "evaluation-validation.json").is_file()
    assert list(tiny_run.rglob("events.out.tfevents*"))
    log = (tiny_run / "log.txt").read_text(encoding="utf-8")
    assert "INFO step 4/12 · loss " in log and "INFO step 12/12 · loss " in log
    assert log.count("validation_exact_match") == 3


def test_a_finished_run_says_so_and_more_steps_go_on(tiny, tmp_path, caplog):
    recipe = load(str(tiny), ["train.steps=4", *QUICK])
    told = []
    first = train(recipe, tmp_path / "run", progress=lambda done, total, what: told.append((what, done == total)))
    assert first.step == 4
    assert {("batches", True), ("decoding", True)} <= set(told)  # the evaluation at the end
    with caplog.at_level("INFO", logger="kt2t"):
        again = train(recipe, tmp_path / "run")
    assert again.step == 4 and again.evaluation is None and "is finished" in caplog.text
    assert train(load(str(tiny), ["train.steps=6", *QUICK]), tmp_path / "run").step == 6


def test_a_schedule_that_ends_with_the_steps_goes_on_with_them(tiny, tmp_path, caplog):
    last = "{type: LinearToZero, steps: =train.steps, decay_steps: 2}"
    schedule = f"{{type: Product, factors: [{{type: Constant, value: 0.01}}, {last}]}}"

    def trained(steps, *more):
        recipe = load(str(tiny), [f"train.steps={steps}", f"optimizer.learning_rate={schedule}", *QUICK, *more])
        recipe.check()
        return train(recipe, tmp_path / "run").step

    assert trained(4) == 4
    for steps in (6, 8):
        caplog.clear()
        assert trained(steps) == steps
        assert f"optimizer.learning_rate.factors.1.steps follows train.steps: {steps} from here on" in caplog.text
        kept = RunFolder(tmp_path / "run").recipe().nodes
        assert kept["optimizer"]["learning_rate"]["factors"][1]["steps"] == kept["train"]["steps"] == steps
    caplog.clear()
    assert trained(8) == 8 and "follows" not in caplog.text
    with pytest.raises(RunError, match=r"Different: optimizer\.learning_rate\.factors\.1\.steps: 8 there, 9 here"):
        trained(10, "optimizer.learning_rate.factors.1.steps=9")


def test_another_recipe_in_the_folder_is_refused_before_any_work(tiny, tmp_path):
    train(load(str(tiny), ["train.steps=2", *QUICK]), tmp_path / "run")
    with pytest.raises(RunError, match=r"model\.num_layers: 1 there, 2 here"):
        train(load(str(tiny), ["model.num_layers=2"]), tmp_path / "run")


@pytest.mark.parametrize(("strategy", "kills", "inside", "steps"), [("none", 6, 1, 60), ("mirrored", 3, 0, 32)])
def test_killed_and_run_again_it_is_bit_identical(strategy, kills, inside, steps):
    """A small campaign of kill -9, the same command each time: checkpoints, end and curves are the undisturbed run's.

    `test_launch.py` kills one of two workers.
    """
    given = {"--strategy": strategy, "--kills": kills, "--inside-saves": inside, "--steps": steps, "--within": 0.5}
    words = [str(word) for pair in {**given, "--model": "toy"}.items() for word in pair]
    command = [sys.executable, "-m", "tests.campaigns.kills", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=1800, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-2000:]
    found = re.search(rf"(\d+) kills, (\d+) inside a save, \d+ runs on {strategy} in .*: 0 differ", ended.stdout)
    assert int(found[1]) >= kills and int(found[2]) >= inside
    assert len(re.findall(r"^kill \d+, run .*: as undisturbed$", ended.stdout, re.MULTILINE)) == int(found[1])


def _written(run):
    """The bytes of each file of arrays, by step and name, as their sha256."""
    return {path.name: {n: f["sha256"] for n, f in verify(path).files.items()} for path in saved(run / "checkpoints")}


def _best(run):
    return json.loads((run / "checkpoints" / "best.json").read_text())


# The loss falls, then a learning rate that is far too high lets it rise: the best step is an early one.
WORSE = ("optimizer.learning_rate=0.5", "report.patience=3", "report.every=4", *QUICK)


def test_patience_ends_a_run_and_a_killed_one_at_the_same_step(start, tmp_path):
    given = (*WORSE, "report.keep=100", "train.deterministic=true")
    assert start(tmp_path / "whole", "train.steps=400", *given).wait() == 0
    end, best = RunFolder(tmp_path / "whole").manifest()["evaluated"], _best(tmp_path / "whole")
    assert 0 < end < 400 and best["since"] == [end - 8, end - 4, end]
    losses = {
        one.step: one.extra["metrics"]["val_loss"] for one in map(verify, saved(tmp_path / "whole" / "checkpoints"))
    }
    assert min(losses, key=losses.get) == best["step"] == end - 12

    # It is cut off after two evaluations, the second time before that one was written down.
    for step in (end - 8, end - 4):
        assert start(tmp_path / "cut", f"train.steps={step}", *given).wait() == 0
    assert _best(tmp_path / "cut") == {**best, "since": [end - 8, end - 4]}
    write_best(tmp_path / "cut" / "checkpoints", {**best, "since": [end - 8]})
    assert start(tmp_path / "cut", "train.steps=400", *given).wait() == 0
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


def test_a_signal_saves_and_the_same_command_goes_on(tiny, tmp_path, start):
    overrides = ("train.steps=100000", "report.every=100000", *QUICK)
    process = start(tmp_path / "run", *overrides)
    while not (tmp_path / "run" / "run.json").exists() or not list((tmp_path / "run").rglob("events.out*")):
        assert process.poll() is None, process.stderr()[-2000:]
        time.sleep(0.05)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143  # a loaded machine is still at its first step
    (saved,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    step = int(saved.name[5:])
    assert step > 0
    outcome = train(load(str(tiny), [*overrides[1:], f"train.steps={step + 2}"]), tmp_path / "run")
    assert outcome.step == step + 2


# `kt2t train` that says so, and waits, at one place outside of `fit`.
WAITING = """
import importlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell ignores it
module, _, name = sys.argv.pop(1).rpartition(".")
def waiting(*_, **__):
    print("here", flush=True)
    time.sleep(60)
    raise SystemExit(1)
setattr(importlib.import_module(module), name, waiting)
from kt2t.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("kt2t.cli.train.import_keras", signal.SIGTERM),
        ("kt2t.data.prepare._build", signal.SIGTERM),
        ("kt2t.run.train._restored", signal.SIGINT),
        ("kt2t.run.train.evaluate_model", signal.SIGTERM),
    ],
    ids=["importing", "preparing", "restoring", "the last evaluation"],
)
def test_a_signal_outside_of_the_training_has_its_status_and_loses_nothing(tiny, tmp_path, nursery, place, number):
    words = ["train", str(tiny), "--run-dir", "run", "--data-dir", "own", "train.steps=4", *QUICK]
    process = nursery.start(place, *words, code=WAITING)
    while "here\n" not in process.stdout():
        assert process.poll() is None, process.stderr()[-2000:]
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(20) == 128 + number  # far less than the minute that it would wait
    said = process.stderr()
    assert said.endswith("kt2t: interrupted.\n") and "Traceback" not in said
    trained = place.endswith("evaluate_model")
    assert [path.name for path in saved(tmp_path / "run" / "checkpoints")] == (["step-4"] if trained else [])
    if trained:
        assert run(words) == 0 and RunFolder(tmp_path / "run").manifest()["evaluated"] == 4


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
def test_what_is_refused_before_anything_was_said_leaves_no_folder(tiny_transformer, tmp_path, override):
    """With the toy model something is said: which file it is in."""
    with pytest.raises(ValueError, match=override.partition("=")[0].partition(".")[2]):
        train(load(str(tiny_transformer), [override]), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
