import json
import shutil
from pathlib import Path

import pytest

from kt2t.cli.main import run
from kt2t.run.train import Outcome


def test_trains_evaluates_shows_and_says_how_to_go_on(tiny, capsys):
    assert run(["train", str(tiny), "train.steps=4", "report.samples=2"]) == 0
    told = capsys.readouterr()
    assert told.out.count("prediction:") == 2 and "exact_match" in told.out
    assert f"tensorboard --logdir {Path('runs/tiny/tensorboard')}" in told.err and "kt2t predict runs/tiny" in told.err
    assert run(["train", str(tiny), "train.steps=4"]) == 0
    assert "is finished" in capsys.readouterr().err


def test_a_finished_run_gives_its_figures_as_json_again(tiny, tiny_run, capsys):
    assert run(["train", str(tiny), "--json", *_copy_of(tiny_run)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == json.loads(Path("r/evaluation-validation.json").read_text())
    assert "is finished" in told.err


@pytest.mark.parametrize("generates", [True, False])
def test_predict_is_offered_for_what_generates(tiny, capsys, monkeypatch, generates):
    outcome = Outcome(Path("r"), 4, generates=generates)
    monkeypatch.setattr("kt2t.run.train.train", lambda *_, **__: outcome)
    assert run(["train", str(tiny)]) == 0
    assert ("kt2t predict r" in capsys.readouterr().err) == generates


def test_overrides_name_the_run_and_json_is_pure(tiny, capsys):
    assert run(["train", str(tiny), "train.steps=2", "train.seed=5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 2
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("tiny-") and len(folder.name) == len("tiny-") + 6


def test_xla_for_mirrored_replicas_on_processors_is_status_2(tiny_transformer, capsys):
    assert run(["train", str(tiny_transformer), "train.strategy=mirrored", "train.jit_compile=true", "--run-dir", "r"]) == 2
    told = capsys.readouterr().err
    assert "train.jit_compile: XLA cannot compile a step for 2 replicas on processors. Leave it out" in told
    assert not Path("r").exists()


def test_another_recipe_in_the_folder_is_status_4(tiny, capsys):
    assert run(["train", str(tiny), "train.steps=1", "--run-dir", "r"]) == 0
    assert run(["train", str(tiny), "model.num_layers=2", "--run-dir", "r"]) == 4
    assert "model.num_layers: 1 there, 2 here" in capsys.readouterr().err


def _copy_of(run):
    shutil.copytree(run, "r")
    shutil.rmtree("r/checkpoints/average", ignore_errors=True)
    return ["--run-dir", "r"]


def test_a_damaged_newest_checkpoint_gives_way_and_is_named(tiny, tiny_run, capsys):
    where = _copy_of(tiny_run)
    file = Path("r/checkpoints/step-12/optimizer.safetensors")
    file.write_bytes(file.read_bytes()[:-3])
    assert run(["train", str(tiny), *where]) == 0
    told = capsys.readouterr().err
    assert "step-12: optimizer.safetensors has" in told and "Taking the one before." in told
    assert "continuing from r/checkpoints/step-8" in told and "step 12" in told


def test_a_run_without_any_good_checkpoint_is_status_4(tiny, tiny_run, capsys):
    where = _copy_of(tiny_run)
    for path in Path("r/checkpoints").glob("step-*"):
        (path / "manifest.json").write_text("{")
    assert run(["train", str(tiny), *where]) == 4
    assert "no checkpoint in 'r/checkpoints' can be read. Train anew with --run-dir." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model.num_layers=2", ["blocks.1.kernel is not in the model"]),
        (
            "model={type: toy_model.Toy, num_layers: 4, hidden_dim: 8}",
            ["targets_embedding.table has shape [7, 8], the model's has [7, 16]", "more"],
        ),
        ("optimizer={type: Lion, learning_rate: 0.1}", ["trained with the optimizer Lion, this is Adam"]),
    ],
)
def test_a_checkpoint_of_another_recipe_is_status_4_with_the_differences(tiny, tiny_run, capsys, change, told):
    """Put there by hand: the recipe's own check, which comes first, cannot know of it."""
    assert run(["train", str(tiny), change, "train.steps=13", "--run-dir", "other"]) == 0
    where = _copy_of(tiny_run)
    shutil.copytree("other/checkpoints/step-13", "r/checkpoints/step-13")
    capsys.readouterr()
    assert run(["train", str(tiny), "train.steps=20", *where]) == 4
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t:")]
    assert "'r/checkpoints/step-13' does not fit this model" in line
    assert not [word for word in told if word not in line], line
    assert run(["train", str(tiny), change, "train.steps=20", *where]) == 4
    option, _, value = change.partition("=")
    line = capsys.readouterr().err
    assert "holds a run of another recipe. Different:" in line and option in line and " there, " in line


def test_patience_without_best_is_status_2(tiny, capsys):
    assert run(["train", str(tiny), "report.patience=2", "report.best=~"]) == 2
    assert (
        "report.patience: 2 needs a score or metric to watch. Name one in report.best." in capsys.readouterr().err
    )


def test_what_cannot_be_started_from(tiny, tiny_run, capsys):
    assert run(["train", str(tiny), "train.start_from=nowhere", "--run-dir", "r"]) == 2
    assert "command line: train.start_from: 'nowhere' does not exist." in capsys.readouterr().err
    assert run(["train", str(tiny), "train.start_from=tiny.yaml", "--run-dir", "r"]) == 4
    assert "holds neither a run (run.json) nor a checkpoint (manifest.json)" in capsys.readouterr().err


def test_an_unwritable_run_folder_is_status_5(tiny, capsys):
    Path("file").write_text("x")
    assert run(["train", str(tiny), "--run-dir", "file/below"]) == 5
    assert "cannot be written" in capsys.readouterr().err


def test_a_record_that_is_damaged_on_the_way_is_status_3_and_named(tiny, tmp_path, capsys):
    command = [str(tiny), "train.steps=60", "report.every=60", "problem.seed=7", "--data-dir", "data"]
    assert run(["prepare", *command]) == 0
    (shard,) = Path("data").rglob("train-*.arrayrecord")
    content = bytearray(shard.read_bytes())
    content[len(content) // 50] ^= 1
    shard.write_bytes(content)
    capsys.readouterr()
    assert run(["train", *command, "--run-dir", "r"]) == 3
    told = capsys.readouterr().err
    assert f"{shard.name}' is damaged at record " in told and "prepare the problem again" in told
    assert "Traceback" not in told and "bug" not in told
