import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kt2t.disk import whole_file
from kt2t.errors import ResourceError, RunError
from kt2t.recipe import Recipe
from kt2t.run.folder import RunFolder, following, recipe_and_run
from kt2t.versions import versions


def _recipe(**train):
    return Recipe({"type": "Reverse"}, {"type": "Transformer"}, {"type": "Adam"}, {"steps": 5, **train}, {"every": 2})


def test_a_run_begins_and_is_found_again(tmp_path):
    folder = RunFolder(tmp_path / "a" / "run")
    assert not folder.exists
    with folder.locked():
        folder.begin(_recipe(), _recipe(seed=1))
    assert folder.exists and folder.manifest()["seed"] == 1
    assert folder.recipe().nodes["train"] == {"steps": 5, "seed": 1}
    folder.update(step=3)
    assert folder.manifest()["step"] == 3 and folder.manifest()["versions"] == versions()


def test_more_steps_and_another_report_are_the_same_run_but_nothing_else(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.begin(_recipe(), _recipe())
        other = _recipe(steps=50)
        other.nodes["report"] = {"every": 7}
        folder.begin(other, other)
        changed = _recipe(seed=3)
        changed.nodes["model"] = {"type": "Transformer", "num_layers": 2}
        with pytest.raises(
            RunError, match=r"model\.num_layers: '\(not set\)' there, 2 here; train\.seed: .* 3 here"
        ) as raised:
            folder.begin(changed, changed)
    assert raised.value.status == 4


def _with_schedule(steps, ends, **optimizer):
    recipe = _recipe(steps=steps)
    factors = [{"type": "Constant", "value": 0.1}, {"type": "LinearToZero", "steps": ends}]
    recipe.nodes["optimizer"] = {"type": "Adam", "learning_rate": {"type": "Product", "factors": factors}, **optimizer}
    return recipe


def test_what_was_the_number_of_steps_may_follow_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    first, longer = _with_schedule(1000, 1000), _with_schedule(3000, 3000)
    checkpoint = SimpleNamespace(recipe=json.loads(json.dumps(first.nodes)), path="step-1000")
    with folder.locked():
        folder.begin(first, first)
        folder.begin(longer, longer)
        folder.check_checkpoint(checkpoint, longer)
        assert following(first.nodes, longer.nodes) == [("optimizer", "learning_rate", "factors", 1, "steps")]
        assert following(first.nodes, _with_schedule(3000, 1000).nodes) == []
        for other in (_with_schedule(3000, 2000), _with_schedule(1000, 3000), _with_schedule(3000, 3000, epsilon=3000)):
            with pytest.raises(RunError, match=r"Different: optimizer\.(learning_rate\.factors\.1\.steps|epsilon): "):
                folder.begin(other, other)
        with pytest.raises(
            RunError, match=r"of another run. Different: optimizer\.learning_rate\.factors\.1\.steps: 1000"
        ):
            folder.check_checkpoint(checkpoint, _with_schedule(3000, 2000))


def test_a_folder_that_is_no_run_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match=r"holds 'thesis\.tex' and no run"), RunFolder(tmp_path).locked():
        pass
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(RunError, match="is a file"), RunFolder(tmp_path / "thesis.tex").locked():
        pass


def test_checkpoints_without_the_recipe_they_are_of_are_refused(tmp_path):
    (tmp_path / "checkpoints" / "step-5").mkdir(parents=True)
    with pytest.raises(RunError, match=r"holds checkpoints, but no run\.json"), RunFolder(tmp_path).locked():
        pass


def test_what_a_killed_command_left_half_written_is_not_foreign(tmp_path):
    (tmp_path / ".recipe.yaml.tmp-1234").write_text("half")
    with RunFolder(tmp_path).locked():
        pass


def test_two_in_one_folder_the_second_is_told_who_is_the_first(tmp_path):
    folder = RunFolder(tmp_path / "run")
    code = "import sys\nfrom kt2t.run.folder import RunFolder\nwith RunFolder(sys.argv[1]).locked(): pass"
    with folder.locked():
        done = subprocess.run([sys.executable, "-c", code, str(folder.path)], capture_output=True, text=True)
    assert done.returncode != 0 and f"is in use by process {os.getpid()} on" in done.stderr
    with folder.locked():
        pass


def test_what_is_no_manifest_is_refused(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(RunError, match="holds no run"):
        folder.manifest()
    folder.manifest_file.write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        folder.manifest()
    folder.manifest_file.write_text("[]")
    with pytest.raises(RunError, match="format none"):
        folder.manifest()
    folder.manifest_file.write_text("[" * 100_000)
    with pytest.raises(RunError, match="cannot be read"):
        folder.manifest()
    folder.manifest_file.write_text(json.dumps({"format": 99}))
    with pytest.raises(RunError, match="format 99"):
        folder.manifest()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    whole_file(tmp_path / "a", "one")
    whole_file(tmp_path / "a", "two")
    assert (tmp_path / "a").read_text() == "two" and os.listdir(tmp_path) == ["a"]
    with pytest.raises(ResourceError, match="cannot be written"):
        whole_file(tmp_path / "missing" / "a", "x")


@pytest.mark.parametrize("place", ["run", "run/vocabularies", "."])
def test_code_that_came_along_with_a_run_is_refused(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = RunFolder(tmp_path / "run")
    recipe = _recipe()
    recipe.nodes["problem"] = {"type": "stranger_for_test.Riddles"}
    with folder.locked():
        folder.begin(recipe, recipe)
    code = tmp_path / place / "stranger_for_test.py"
    code.parent.mkdir(exist_ok=True)
    code.write_text("open('canary', 'w')\n")
    file = code.name if place == "." else str(code)
    folder.update(plugins={"stranger_for_test": {"file": file, "sha256": "0"}})
    before = list(sys.path)
    with pytest.raises(RunError, match=r"run\.json.*stranger_for_test.*stores no code"):
        folder.recipe()
    assert sys.path == before


def _with_data(path, **problem):
    recipe = _recipe()
    recipe.nodes["problem"] = {"type": "TextFiles", "path": path, **problem}
    return recipe


def test_data_that_lies_elsewhere_is_the_same_run_where_it_is_said_so(tmp_path, caplog):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.begin(_with_data("old"), _with_data("old"))
        with pytest.raises(RunError, match=r"problem.path: 'old' there, 'new' here. If the same data lies elsewhere now"):
            folder.begin(_with_data("new"), _with_data("new"))
        folder.begin(_with_data("new"), _with_data("new"), moved=True)
        assert "problem.path: 'old' there, 'new' here: taken to be the same data" in caplog.text
        with pytest.raises(RunError, match="problem.length: .* 7 here"):
            folder.begin(_with_data("new", length=7), _with_data("new", length=7), moved=True)


def test_files_are_no_difference_where_none_were_named(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.begin(_with_data(None), _with_data(None))
        folder.begin(_with_data("new"), _with_data("new"))


def test_a_run_stands_for_its_recipe(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder("runs/mine")
    with folder.locked():
        folder.begin(_with_schedule(1000, 1000), _recipe())
    recipe, run = recipe_and_run("runs/mine", ["train.steps=3000"])
    assert run == folder.path and recipe.train.steps == 3000
    assert "optimizer.learning_rate.factors.1.steps: stays 1,000. Give it as well" in caplog.text
    assert recipe_and_run("quickstart")[1] is None
    with pytest.raises(RunError, match="'mine' holds no run .*Did you mean 'runs/mine'"):
        RunFolder("mine").manifest()


def test_a_run_that_is_not_there_is_looked_for_where_it_may_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"'quickstart' holds no run .* quickstart is a recipe .* kt2t train quickstart"):
        RunFolder("quickstart").manifest()
    with pytest.raises(RunError, match=r"not trained here: kt2t train translation/own"):
        RunFolder("runs/translation/own").manifest()
    with pytest.raises(RunError, match=r"See `kt2t train --help`"):
        RunFolder("nothing").manifest()
    for name in ("translation/own-1a2b3c", "translation/own-abcdef", "translation/own-longer-name"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    for asked in ("translation/own", "runs/translation/own"):
        with pytest.raises(RunError, match=r"Did you mean 'runs/translation/own-1a2b3c' or 'runs/translation/own-abcdef'\?"):
            RunFolder(asked).manifest()
