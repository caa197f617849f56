"""C01 to C14 of the catalogue of faults: a recipe that cannot mean anything. README.md here says what stands where."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from campaigns import fuzz_recipes
from costs import peak_of_process, seconds

from kt2t.cli.main import run

RECIPE = """\
problem: {type: Reverse, symbols: 5, max_length: 4, train_examples: 600, validation_examples: 60}
model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2, dropout: 0.1}
optimizer:
  type: Adam
  learning_rate: 0.001
train: {steps: 2, batch: {rows: 4}}
report: {every: 2, score: false, attention_maps: false}
"""


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """`told(text or bytes, *words)` trains a recipe that must be refused with status 2; gives the one line of stderr."""
    monkeypatch.chdir(tmp_path)

    def refused(content: str | bytes, *words: str) -> str:
        Path("mine.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        assert run(["train", "mine.yaml", *words, "--data-dir", "data"]) == 2
        errors = capsys.readouterr().err.splitlines()
        assert len(errors) == 1 and errors[0].startswith("kt2t: "), errors
        written = {
            path.name for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "data" not in path.parents
        }
        assert written <= {"mine.yaml", "log.txt"}, "a run was begun"
        return errors[0]

    return refused


def changed(before: str, after: str) -> str:
    assert RECIPE.count(before) == 1
    return RECIPE.replace(before, after)


def test_c01_an_unknown_key_is_told_with_the_right_one(told):
    line = told(changed("learning_rate:", "learing_rate:"))
    assert "mine.yaml:5: optimizer.learing_rate: Adam has no option" in line and "Did you mean 'learning_rate'?" in line


@pytest.mark.parametrize(
    ("before", "after", "place", "wanted"),
    [
        ("rows: 4", "rows: many", "mine.yaml:6: train.batch", "many"),
        ("steps: 2", "steps: 2.5", "mine.yaml:6: train.steps", "a whole number"),
        ("steps: 2", "steps: [2]", "mine.yaml:6: train.steps", "a whole number"),
        ("every: 2", "every: {type: Adam}", "mine.yaml:7: report.every", "a whole number"),
        ("num_layers: 1", "num_layers: one", "mine.yaml:2: model.num_layers", "a whole number"),
        ("score: false", "score: 'no'", "mine.yaml:7: report.score", "true or false"),
        ("optimizer:\n  type: Adam\n  learning_rate: 0.001", "optimizer: Adam", "mine.yaml:3: optimizer", "a mapping"),
    ],
)
def test_c02_a_wrong_type_is_told_with_the_right_one(told, before, after, place, wanted):
    line = told(changed(before, after))
    assert place in line and wanted in line


@pytest.mark.parametrize(("word", "value"), [("1e-3", 0.001), ("1E3", 1000.0), ("1_000", 1000), (".5", 0.5)])
def test_c03_numbers_are_those_of_yaml_1_2(tmp_path, word, value):
    from kt2t.recipe_file import load

    (tmp_path / "mine.yaml").write_text(changed("0.001", word))
    recipe = load(str(tmp_path / "mine.yaml"))
    recipe.check()
    found = recipe.nodes["optimizer"]["learning_rate"]
    assert found == value and type(found) is type(value)


def test_c04_a_key_twice_is_told_with_both_lines(told):
    line = told(changed("  learning_rate: 0.001\n", "  learning_rate: 0.001\n  type: SGD\n"))
    assert "mine.yaml:6: 'type' stands here again; it is already on line 4" in line


@pytest.mark.parametrize("word", ["no", "on", "012", "12:30:45", "2026-11-22", "0x10", "1:2"])
def test_c05_words_that_yaml_1_1_turned_into_something_else_stay_words(told, word):
    assert f"mine.yaml:6: train.steps: '{word}' is not a whole number" in told(changed("steps: 2", f"steps: {word}"))


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("dropout: 0.1", "dropout: 1.5", "mine.yaml:2: model"),
        ("num_heads: 2", "num_heads: 3", "mine.yaml:2: model.num_heads"),
        ("steps: 2", "steps: 0", "mine.yaml:6: train.steps"),
        ("rows: 4", "rows: -4", "mine.yaml:6: train.batch.rows"),
        ("every: 2", "every: 0", "mine.yaml:7: report.every"),
        ("symbols: 5", "symbols: 0", "mine.yaml:1: problem.symbols"),
    ],
)
def test_c06_a_value_out_of_range_is_told_before_a_run_begins(told, before, after, place):
    assert place in told(changed(before, after))


@pytest.mark.parametrize(
    "bomb",
    [
        "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)),
        "a: &a [*a]\n",
        "[" * 20_000,
        "".join(f"{' ' * depth}a{depth}:\n" for depth in range(70)),
        "# " + "x" * 1_100_000,
    ],
    ids=["aliases", "loop", "brackets", "depth", "size"],
)
def test_c07_a_bomb_is_refused_quickly_and_small(told, bomb):
    assert "mine.yaml" in told(bomb)
    assert seconds(lambda: told(bomb)) < 0.5
    code = "from kt2t.cli.main import run\nassert run(['train', 'mine.yaml']) == 2"
    assert peak_of_process(code) < 200e6, "bytes of the whole process"


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system ['touch canary']", "!!python/name:os.system", "!!python/module:os", "!mine x"],
)
def test_c08_a_tag_is_refused_and_nothing_run(told, value):
    line = told(changed("learning_rate: 0.001", f"learning_rate: {value}"))
    assert "mine.yaml:5" in line and "is not allowed: a recipe is plain data" in line
    assert not Path("canary").exists()


def test_c08_a_variable_of_the_environment_stays_a_word(told, monkeypatch):
    monkeypatch.setenv("SECRET", "canary")
    line = told(changed("steps: 2", "steps: ${env:SECRET}").replace("{steps: ${env:SECRET}", "{steps: '${env:SECRET}'"))
    assert "'${env:SECRET}' is not a whole number" in line and "canary" not in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (RECIPE.replace("  type: Adam", "\ttype: Adam").encode(), ["mine.yaml:4", "tabs"]),
        (RECIPE.replace("Adam", "Ad\0am").encode(), ["mine.yaml:4", "U+0000 (column 11)"]),
        (RECIPE.replace("Adam", "Adäm").encode("latin-1"), ["mine.yaml:4", "0xe4 is not UTF-8"]),
        (RECIPE.encode("utf-16"), ["mine.yaml:1", "not UTF-8"]),
    ],
)
def test_c09_bytes_that_are_no_text_are_told_with_their_line(told, content, words):
    line = told(content)
    assert all(word in line for word in words), line


@pytest.mark.parametrize("content", ["\ufeff" + RECIPE, RECIPE.replace("\n", "\r\n")])
def test_c09_a_byte_order_mark_and_carriage_returns_mean_nothing(tmp_path, content):
    from kt2t.recipe_file import load

    (tmp_path / "mine.yaml").write_bytes(content.encode())
    (tmp_path / "plain.yaml").write_text(RECIPE)
    assert load(str(tmp_path / "mine.yaml")).nodes == load(str(tmp_path / "plain.yaml")).nodes


@pytest.mark.parametrize(
    ("parent", "told_of"),
    [
        ("mine", "itself extends 'mine'; only one level"),
        ("nowhere_at_all", "no recipe is called 'nowhere_at_all'"),
        ("../../../etc/passwd", "'../../../etc/passwd'"),
        ("/etc/passwd", "extends: /etc/passwd:"),
        ("é" * 500, "there is no such file"),
        ("[1, 2]", "no recipe is called '[1, 2]'"),
    ],
)
def test_c10_what_cannot_be_extended_is_told(told, parent, told_of):
    line = told(f"# mine\nextends: {parent}\n{RECIPE}")
    assert "mine.yaml:2: extends: " in line and told_of in line


@pytest.mark.parametrize(
    ("before", "after", "place", "near"),
    [
        ("type: Adam", "type: Adaam", "mine.yaml:4: optimizer.type", "'Adam'"),
        ("type: Reverse", "type: Revers", "mine.yaml:1: problem.type", "'Reverse'"),
        ("type: Transformer", "type: Transfomer", "mine.yaml:2: model.type", "'Transformer'"),
    ],
)
def test_c11_an_unknown_name_is_told_with_near_ones(told, before, after, place, near):
    line = told(changed(before, after))
    assert place in line and near in line and line.count("' or '") <= 2


def test_c12_another_recipe_in_a_run_folder_is_refused_and_the_run_left_alone(tiny, tiny_run, tmp_path, capsys):
    before = {
        path: path.stat().st_mtime_ns for path in tiny_run.rglob("*") if path.is_file() and path.name != "log.txt"
    }
    words = ["train", str(tiny), "model.hidden_dim=32", "train.steps=400", "--run-dir", str(tiny_run)]
    assert run(words) == 4
    line = capsys.readouterr().err
    assert "holds a run of another recipe. Different: model.hidden_dim: 16 there, 32 here" in line
    assert "steps" not in line.split("Different")[1], "more steps are the same training"
    after = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*") if path.is_file() and path.name != "log.txt"}
    assert before == after


def test_c13_options_that_keras_cannot_combine_are_refused_with_their_place(told):
    line = told(changed("learning_rate: 0.001", "learning_rate: 0.001\n  gradient_accumulation_steps: 2"))
    assert "mine.yaml" in line and "optimizer" in line and "micro_batches" in line


def test_c13_what_keras_breaks_under_replicas_trains(tmp_path, monkeypatch):
    """Several replicas with several steps a call and micro-batches: both raise in Keras's own `fit`."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        changed("steps: 2", "steps: 2, strategy: mirrored, steps_per_call: 2, micro_batches: 2")
    )
    assert run(["train", "mine.yaml", "--data-dir", "data"]) == 0


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n", "[1, 2]", "word", "--- \n...\n"])
def test_c14_a_recipe_without_sections(told, content):
    line = told(content)
    assert "mine.yaml" in line and "problem, model, optimizer" in line


def test_c14_a_folder_in_place_of_a_recipe(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").mkdir()
    assert run(["train", "mine.yaml"]) == 2
    assert "this is a folder, not a recipe" in capsys.readouterr().err


def test_recipes_damaged_at_random_are_answered(tmp_path):
    """150 of the cases of `tests/campaigns/fuzz_recipes.py`, which has the large count."""
    before = signal.signal(signal.SIGVTALRM, fuzz_recipes.hangs)
    try:
        found = fuzz_recipes.fuzz(7, 150, tmp_path)
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert [case for case in found["bad"] if not case["wrong"].startswith("not told")] == []
    assert found["counts"]["typos told right"] >= 0.95 * found["counts"]["typos"] > 10
