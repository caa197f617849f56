import json
from pathlib import Path

from kt2t.cli.main import run


def test_trains_evaluates_shows_and_says_how_to_go_on(tiny, capsys):
    assert run(["train", str(tiny), "train.steps=4", "report.samples=2"]) == 0
    told = capsys.readouterr()
    assert told.out.count("prediction:") == 2 and "exact_match" in told.out
    assert f"tensorboard --logdir {Path('runs/tiny/tensorboard')}" in told.err and "kt2t predict runs/tiny" in told.err
    assert run(["train", str(tiny), "train.steps=4"]) == 0
    assert "is finished" in capsys.readouterr().err


def test_overrides_name_the_run_and_json_is_pure(tiny, capsys):
    assert run(["train", str(tiny), "train.steps=2", "train.seed=5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 2
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("tiny-") and len(folder.name) == len("tiny-") + 6


def test_another_recipe_in_the_folder_is_status_4(tiny, capsys):
    assert run(["train", str(tiny), "train.steps=1", "--run-dir", "r"]) == 0
    assert run(["train", str(tiny), "model.num_layers=2", "--run-dir", "r"]) == 4
    assert "model.num_layers: 1 there, 2 here" in capsys.readouterr().err


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
