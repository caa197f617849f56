"""A training whose length is given in epochs: its steps, its schedules, and how it goes on."""

import pytest

from kt2t.cli.main import run
from kt2t.errors import RecipeError, RunError
from kt2t.recipe_file import load, recipe_of
from kt2t.run.assemble import problem_of
from kt2t.run.epochs import with_steps
from kt2t.run.folder import RunFolder
from kt2t.run.train import train

LAST = "{type: LinearToZero, steps: =train.steps, decay_steps: 2}"
# 60 examples in batches of 16 rows are 4 batches an epoch
SMALL = ("problem.train_examples=60", "report.score=false", "report.best=loss", "report.attention_maps=false", "report.every=8")
SCHEDULE = f"optimizer.learning_rate={{type: Product, factors: [{{type: Constant, value: 0.01}}, {LAST}]}}"


def loaded(tiny, *overrides):
    recipe = load(str(tiny), [*SMALL, SCHEDULE, *overrides])
    recipe.check()
    return recipe


def test_epochs_are_counted_in_batches_and_reported(tiny, tiny_data, caplog):
    caplog.set_level("INFO", "kt2t")
    recipe = loaded(tiny, "train.epochs=3")
    assert "steps" not in recipe.nodes["train"]
    assert recipe.nodes["optimizer"]["learning_rate"]["factors"][1]["steps"] == "=train.steps"
    problem = problem_of(recipe)
    problem.prepare(tiny_data)
    found = with_steps(recipe, problem)
    assert found.train.steps == 12 and found.nodes["optimizer"]["learning_rate"]["factors"][1]["steps"] == 12
    assert "train.epochs 3: 4 batches an epoch, so train.steps is 12" in caplog.text
    assert with_steps(loaded(tiny, "train.epochs=3", "train.steps_per_call=8"), problem).train.steps == 16
    of_steps = loaded(tiny, "train.steps=7")
    assert with_steps(of_steps, problem) is of_steps


def test_a_run_of_epochs_goes_on_with_more_and_with_steps(tiny, tmp_path, caplog):
    caplog.set_level("INFO", "kt2t")
    folder = tmp_path / "run"

    def trained(*overrides):
        caplog.clear()
        return train(loaded(tiny, *overrides), folder).step

    assert trained("train.epochs=1") == 4
    kept = RunFolder(folder).recipe()
    assert kept.train.steps == 4 and kept.train.epochs is None  # the full recipe is one of steps
    assert trained("train.epochs=1") == 4 and "is finished: 4 of 4 steps. Give a larger train.epochs" in caplog.text
    assert trained("train.epochs=2") == 8 and "optimizer.learning_rate.factors.1.steps follows train.steps: 8" in caplog.text
    assert trained("train.steps=9") == 9
    assert trained("train.epochs=3") == 12
    with pytest.raises(RunError, match=r"Different: optimizer\.learning_rate\.factors\.1\.decay_steps: 2 there, 3 here"):
        trained("train.epochs=4", "optimizer.learning_rate.factors.1.decay_steps=3")


def test_one_of_steps_and_epochs(tiny):
    assert loaded(tiny, "train.epochs=2").nodes["train"].keys().isdisjoint({"steps"})  # in place of the file's 12
    with pytest.raises(RecipeError, match=r"train.epochs: 2 together with train.steps 3. Give one of the two"):
        loaded(tiny, "train.epochs=2", "train.steps=3")
    with pytest.raises(RecipeError, match=r"train.epochs: 0 is not positive"):
        loaded(tiny, "train.epochs=0")
    given = loaded(tiny, "train.epochs=2").nodes
    again = recipe_of(given, ["train.steps=5"])
    assert again.train.steps == 5 and again.train.epochs is None
    assert again.nodes["optimizer"]["learning_rate"]["factors"][1]["steps"] == 5


def test_a_recipe_that_extends_one_of_steps(tiny, tmp_path):
    child = tmp_path / "child.yaml"
    child.write_text(f"# A child.\nextends: {tiny.stem}\ntrain: {{epochs: 2}}\n")
    recipe = load(str(child))
    recipe.check()
    assert recipe.train.epochs == 2 and "steps" not in recipe.nodes["train"]


def test_explain_tells_the_steps_once_the_data_is_prepared(tiny, capsys, tmp_path):
    words = [str(tiny), *SMALL, "train.epochs=5", "--data-dir", str(tmp_path / "data")]
    assert run(["explain", *words]) == 0
    assert "train.epochs are counted in batches once the data is prepared" in capsys.readouterr().out
    assert run(["prepare", *words]) == 0 and run(["explain", *words]) == 0
    assert "steps:            20, about" in capsys.readouterr().out
