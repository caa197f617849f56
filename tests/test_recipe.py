import random
import string
import subprocess
import sys

import pytest
import yaml
from costs import child_seconds

from kt2t import marked_yaml, registry
from kt2t.errors import Kt2tError, RecipeError
from kt2t.recipe import Recipe, Report, Train
from kt2t.recipe_file import load, short_names

GOOD = """\
problem: {type: Reverse, symbols: 10}
model: {type: Transformer, hidden_dim: 16, num_layers: 1, intermediate_dim: 32, num_heads: 2}
optimizer:
  type: Adam
  learning_rate: {type: Noam, hidden_dim: =model.hidden_dim, warmup: 100}
train: {steps: 100, batch: {tokens: 512}}
report: {every: 50, decode: {type: Beam, beams: 4}}
"""


def _check(tmp_path, text, *overrides):
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    recipe = load(str(file), overrides)
    recipe.check()
    return recipe


def test_a_good_recipe_passes(tmp_path):
    assert _check(tmp_path, GOOD).train.steps == 100


@pytest.mark.parametrize(
    ("before", "after", "line", "path", "message"),
    [
        ("hidden_dim: 16", "hiden_dim: 16", 2, "model.hiden_dim", "Did you mean 'hidden_dim'"),
        ("type: Transformer", "type: Transfromer", 2, "model.type", "Did you mean 'Transformer'"),
        ("type: Transformer", "tpye: Transformer", 2, "model", "'type' is missing. Did you mean 'type'"),
        ("type: Noam", "type: Noma", 5, "optimizer.learning_rate.type", "Did you mean 'Noam'"),
        ("warmup: 100", "warm_up: 100", 5, "optimizer.learning_rate.warm_up", "Did you mean 'warmup'"),
        ("steps: 100", "step: 100", 6, "train.step", "Did you mean 'steps'"),
        ("steps: 100", "steps: many", 6, "train.steps", "'many' is not a whole number"),
        ("steps: 100", "steps: -1", 6, "train.steps", "-1 is not positive"),
        ("{tokens: 512}", "{token: 512}", 6, "train.batch.token", "Did you mean 'tokens'"),
        ("{tokens: 512}", "{tokens: 512, shapes: 0}", 6, "train.batch.shapes", "not positive"),
        ("{tokens: 512}", "{shapes: 4}", 6, "train.batch", "one of"),
        ("beams: 4", "beans: 4", 7, "report.decode.beans", "Did you mean 'beams'"),
        ("symbols: 10", "symbols: '???'", 1, "problem.symbols", "must be given"),
        ("{type: Reverse, symbols: 10}", "{type: riddles.Riddles, path: '???'}", 1, "problem.path", "must be given"),
    ],
)
def test_each_fault_names_line_key_value_and_fix(tmp_path, before, after, line, path, message):
    with pytest.raises(RecipeError, match=message) as raised:
        _check(tmp_path, GOOD.replace(before, after))
    assert raised.value.status == 2
    assert raised.value.line == line and raised.value.path == path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Train(batch={"tokens": 1, "rows": 1}), "batch: .* should be one of"),
        (lambda: Train(batch={"rows": 0}), r"batch\.rows: 0 is not positive"),
        (lambda: Train(batch={"tokens": 9, "pack": 0}), r"batch\.pack: 0 is not positive"),
        (lambda: Train(batch={"pack": 9}), "batch: .* should be one of"),
        (lambda: Train(batch={"rows": 9, "pack": 4}), r"batch\.pack: rows of 4 positions .* not 9\. Give tokens"),
        (
            lambda: Train(batch={"tokens": 9, "pack": 10}),
            r"batch\.pack: rows of 10 positions do not fit .* of 9 tokens",
        ),
        (lambda: Train(average=0), "average: 0 is not positive"),
        (lambda: Report(patience=0), "patience: 0 is not positive"),
        (lambda: Report(patience=3), "patience: 3 needs a score or metric"),
        (lambda: Report(every=0), "every: 0 is not positive"),
        (lambda: Report(score_limit=0), "score_limit: 0 is not positive"),
    ],
)
def test_sections_refuse_what_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_missing_files_are_found(tmp_path):
    with pytest.raises(RecipeError, match=r"problem\.train_files: 'nowhere\.tsv' does not exist"):
        _check(
            tmp_path, GOOD.replace("{type: Reverse, symbols: 10}", "{type: ParallelText, train_files: [nowhere.tsv]}")
        )


def test_missing_files_of_a_node_within_are_found(tmp_path):
    node = "{type: ParallelText, train_files: mine.yaml, vocabulary: {type: SubwordTextEncoder, path: nowhere}}"
    text = GOOD.replace("{type: Reverse, symbols: 10}", node.replace("mine.yaml", str(tmp_path / "mine.yaml")))
    with pytest.raises(RecipeError, match=r"mine.yaml:1: problem\.vocabulary\.path: 'nowhere' does not exist"):
        _check(tmp_path, text)


def test_written_and_read_again_it_is_the_same(tmp_path):
    recipe = _check(tmp_path, GOOD, "optimizer.epsilon=1e-9", "optimizer.name='1e3'")
    again = marked_yaml.read(recipe.to_yaml()).value
    assert Recipe(**again).nodes == recipe.nodes


@pytest.mark.parametrize("name", sorted(short_names()))
def test_recipes_that_come_with_kt2t(name):
    """Each says what it reaches and how to run it, stays short, and passes its own check once `???` are given."""
    file = short_names()[name]
    text = file.read_text(encoding="utf-8")
    assert text.startswith("#") and "Reaches:" in text and "Run:" in text and "Cost:" in text
    assert len(text.splitlines()) <= 60
    keys = [key for key in yaml.safe_load(text) if key != "extends"]
    assert keys == [key for key in ("problem", "model", "optimizer", "train", "report") if key in keys]
    recipe = load(name, _given(name))
    recipe.check()
    for section in ("problem", "optimizer"):
        thing = registry.build(recipe.nodes[section], section, section)
        node = registry.describe(thing)
        assert registry.describe(registry.build(node, section)) == node


def _given(name):
    value = load(name).nodes
    return [f"problem.{key}=." for key, item in value["problem"].items() if item == "???"] + [
        f"problem.{key}=[.]" for key, item in value["problem"].items() if item == "???" and key.endswith("_files")
    ]


def _typos(word, generator):
    """One letter dropped, doubled, swapped with its neighbour or replaced."""
    place = generator.randrange(len(word))
    letter = generator.choice(string.ascii_lowercase)
    for typo in (
        word[:place] + word[place + 1 :],
        word[:place] + word[place] + word[place:],
        word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :] if place else word[1:],
        word[:place] + letter + word[place + 1 :],
    ):
        if typo and typo != word:
            yield typo


def _places(value, place=()):
    for key, item in value.items():
        yield (*place, key)
        if isinstance(item, dict):
            yield from _places(item, (*place, key))
        elif isinstance(item, list):
            for index, entry in enumerate(item):
                if isinstance(entry, dict):
                    yield from _places(entry, (*place, key, index))


def test_every_key_misspelt_by_one_letter_is_answered_with_the_right_one(tmp_path):
    """Over every key of every recipe; at least 95 % must name the key that was meant, all must say file, line and key."""
    generator = random.Random(1)
    asked = right = 0
    wrong = []
    for name in sorted(short_names()):
        text = load(name, _given(name)).to_yaml()
        whole = marked_yaml.read(text).value
        for place in _places(whole):
            for typo in _typos(place[-1], generator):
                broken = marked_yaml.read(text).value
                holder = broken
                for part in place[:-1]:
                    holder = holder[part]
                if typo in holder:
                    continue
                renamed = {typo if key == place[-1] else key: item for key, item in holder.items()}
                holder.clear()
                holder.update(renamed)
                file = tmp_path / "typo.yaml"
                file.write_text(yaml.safe_dump(broken, sort_keys=False), encoding="utf-8")
                asked += 1
                try:
                    load(str(file)).check()
                    wrong.append(f"{name}: {place} as {typo}: not noticed")
                except Kt2tError as error:
                    told = str(error)
                    if f"mean {place[-1]!r}" in told and str(file) in told:
                        right += 1
                    else:
                        wrong.append(f"{name}: {place} as {typo}: {told}")
    assert asked > 200
    assert right / asked >= 0.95, "\n".join(wrong[:40])
    assert not [line for line in wrong if "not noticed" in line]


def test_a_wrong_key_is_told_within_a_second(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("hidden_dim: 16", "hiden_dim: 16"), encoding="utf-8")
    command = [sys.executable, "-m", "kt2t", "explain", str(file)]
    said = []
    cost = child_seconds(lambda: said.append(subprocess.run(command, capture_output=True, text=True)))
    done = said[0]
    assert done.returncode == 2 and "Did you mean 'hidden_dim'?" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert cost < 2  # 1 s on a quiet machine; processors that are shared do less in a second
