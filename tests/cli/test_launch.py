from __future__ import annotations

from pathlib import Path

import pytest

from kt2t.cli.main import run


@pytest.fixture
def launched(monkeypatch):
    """What `launch` was called with; nothing is started."""
    import importlib

    calls = []

    def launch(words, workers, run_dir, restarts):
        calls.append((list(words), workers, run_dir, restarts))
        return 5

    monkeypatch.setattr(importlib.import_module("kt2t.run.launch"), "launch", launch)
    return calls


def test_workers_train_the_recipe_in_one_folder_and_their_status_is_its_own(tiny, launched, capsys):
    words = ["train.steps=3", "--workers", "2", "--run-dir", "there", "--data-dir", "data", "--restarts", "1"]
    assert run(["launch", str(tiny), *words]) == 5
    given = [
        "train",
        str(tiny),
        "train.steps=3",
        "train.strategy=multi_worker",
        "--run-dir",
        "there",
        "--data-dir",
        "data",
    ]
    assert launched == [(given, 2, Path("there"), 1)]


def test_without_a_folder_it_is_the_one_that_train_would_take(tiny, launched):
    from kt2t.recipe_file import load, run_name

    assert run(["launch", str(tiny), "--workers", "1"]) == 5
    ((_, _, folder, _),) = launched
    assert folder == Path("runs") / run_name(load(str(tiny)))


@pytest.mark.parametrize(
    "words", [[], ["--workers", "0"], ["--workers", "two"], ["--workers", "2", "model.num_layer=1"]]
)
def test_mistakes_are_told_before_anything_is_started(tiny_transformer, launched, words, capsys):
    assert run(["launch", str(tiny_transformer), *words]) == 2
    assert launched == [] and capsys.readouterr().err.startswith("kt2t: ")
