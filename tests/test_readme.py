"""README and docs are true: the scripts run, the recipes pass the check, the links and pictures exist."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN_PROBLEM = (ROOT / "docs" / "own-problem.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _block(page, language, word):
    """The first code block of `page` in `language` that contains `word`."""
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", page, re.S) if word in b)


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    words = ["ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht"]
    for language in ("en", "de"):
        lines = (f"{words[i % 8]} {words[i // 8 % 8]} {words[i // 64 % 8]} {language}\n" for i in range(400))
        Path(f"train.{language}").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def test_the_script_trains_decodes_and_shows(pairs, capsys):
    script = _block(README, "python", "model.fit")
    for large, small in {
        "Subwords(8000)": "Subwords(300)",
        "hidden_dim=256": "hidden_dim=16",
        "steps_per_epoch=500": "steps_per_epoch=2",
        "epochs=10": "epochs=1",
        "sample(5)": "sample(2)",
    }.items():
        assert large in script
        script = script.replace(large, small)
    exec(compile(script, "README.md", "exec"), {"__name__": "readme"})
    shown = capsys.readouterr().out
    assert shown.count("predicted:") == 2 and "inputs: " in shown
    assert list((pairs / "runs" / "mine").rglob("events.out.tfevents*"))


def test_the_page_about_keras_runs(tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    names = {"__name__": "keras_page"}
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(block, "keras.md", "exec"), names)
    model, batch = names["model"], names["batch"]
    np.testing.assert_array_equal(names["same"](batch), model(batch))
    np.testing.assert_allclose(names["logits"], model(batch), atol=1e-5)
    assert names["classifier"](batch["inputs"]).shape == (2, 3) and names["answer"]["scores"].shape == (2, 1)


def test_the_recipe_passes_its_check(tmp_path):
    from kt2t.recipe_file import load

    file = tmp_path / "mine.yaml"
    file.write_text(_block(README, "yaml", "problem:"), encoding="utf-8")
    load(str(file), [f"problem.path={tmp_path}"]).check()


def test_a_problem_of_ones_own_is_one_class_beside_the_recipe(tmp_path, monkeypatch, capsys):
    from kt2t.cli.main import run

    monkeypatch.chdir(tmp_path)
    code = _block(OWN_PROBLEM, "python", "class Riddles")
    Path("riddles.py").write_text(code, encoding="utf-8")
    for split, count in (("train", 200), ("validation", 20)):
        Path(f"{split}.tsv").write_text("".join(f"what is {i}?\tit is {i}\n" for i in range(count)), encoding="utf-8")
    recipe = _block(OWN_PROBLEM, "yaml", "type: riddles.Riddles")
    for large, small in {
        "num_layers: 2": "num_layers: 1",
        "hidden_dim: 128": "hidden_dim: 16",
        "intermediate_dim: 512": "intermediate_dim: 16",
        "num_heads: 4": "num_heads: 2",
        "steps: 2000": "steps: 2",
        "tokens: 2048": "tokens: 128",
        "every: 500": "every: 2, samples: 1, attention_maps: false",
    }.items():
        assert large in recipe
        recipe = recipe.replace(large, small)
    Path("riddles.yaml").write_text(recipe, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert run(["train", "riddles.yaml", "--data-dir", "data"]) == 0
    printed = capsys.readouterr()
    assert "riddles" in printed.err and "exact_match" in printed.out


def test_a_run_is_opened_in_python(tiny_run, tiny_data, monkeypatch, capsys):
    monkeypatch.setenv("KT2T_DATA", str(tiny_data))
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    scripts = [f"import kt2t\n{_block(README, 'python', 'kt2t.load')}"]
    scripts.append(_block(page, "python", "kt2t.load") + _block(page, "python", "run.model.evaluate"))
    texts = {"forty two": "1 2 3", "seven": "4", "three hundred": "2 0", "runs/quickstart": str(tiny_run)}
    for script in scripts:
        for words, symbols in texts.items():
            assert words in script
            script = script.replace(words, symbols)
        exec(compile(script, "python.md", "exec"), {"__name__": "page"})
    shown = capsys.readouterr().out
    assert "'score'" in shown and "'token_accuracy'" in shown and "Reverse" in shown


def test_readme_shows_the_two_commands():
    assert re.search(r"^pip install -e '\.\[dev\]' && pytest", README, re.M)
    assert re.search(r"^pip install -e \. && kt2t train quickstart$", README, re.M)


def test_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
