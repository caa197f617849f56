"""What a word may become, without a shell."""

import json

from kt2t.run.completion import checkpoints, keys, keys_of_a_run, recipes, runs


def made(folder, *steps, best=False):
    for step in steps:
        (folder / "checkpoints" / f"step-{step}").mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    nodes = {
        "problem": {"type": "ParallelText", "train_files": "x.tsv", "vocabulary": {"type": "Subwords", "size": 300}},
        "model": {"type": "Transformer", "num_layers": 1},
        "optimizer": {"type": "Adam", "learning_rate": 0.1},
    }
    (folder / "run.json").write_text(json.dumps({"given": nodes}))
    if best:
        (folder / "checkpoints" / "best.json").write_text("{}")
    return folder


def test_runs_are_found_below_runs_and_below_the_folder_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "runs" / "translation" / "own-1a2b3c", 4)
    made(tmp_path / "elsewhere" / "mine")
    (tmp_path / "runs" / "no_run").mkdir()
    assert runs("") == runs("runs/t") == ["runs/translation/own-1a2b3c"]
    assert runs("elsewhere/") == ["elsewhere/mine"] and runs("x") == runs("nowhere/") == []


def test_checkpoints(tmp_path):
    assert checkpoints(made(tmp_path / "a", 4, 12, 8, best=True)) == ["last", "best", "average", "12", "8", "4"]
    assert checkpoints(made(tmp_path / "b", 4)) == ["last", "average", "4"]
    assert checkpoints(made(tmp_path / "c")) == checkpoints(tmp_path / "nowhere") == []


def test_keys_of_a_recipe_and_of_a_run(tmp_path):
    run = made(tmp_path / "run")
    assert keys(str(run), "problem.v") == [
        "problem.validation_files=",
        "problem.vocabulary.algorithm=",
        "problem.vocabulary.character_coverage=",
        "problem.vocabulary.max_training_lines=",
        "problem.vocabulary.size=",
        "problem.vocabulary.symbols=",
        "problem.vocabulary.type=",
        "problem.vocabulary=",
    ]
    assert keys(str(run), "optimizer.beta") == ["optimizer.beta_1=", "optimizer.beta_2="]
    assert keys(str(run), "model.features") == [] and keys("nothing", "") == []
    assert keys_of_a_run(run, "problem.") == ["problem.test_files=", "problem.train_files=", "problem.validation_files="]
    assert {"report.decode.beams=", "report.decode.temperature=", "report.decode.type="} <= set(keys_of_a_run(run, "report."))


def test_recipes_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.yaml").touch()
    assert recipes("sub/") == ["sub/mine.yaml"] and "quickstart" in recipes("q")
