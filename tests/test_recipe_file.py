import pytest

from kt2t.errors import RecipeError
from kt2t.recipe_file import find, load, recipe_of, run_name, short_names

MINIMAL = """\
problem: {type: Reverse, symbols: 10}
model:
  type: Transformer
  hidden_dim: 16
optimizer: {type: SGD, learning_rate: 0.1}
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.yaml"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def test_sections_become_nodes_with_origins(write):
    file = write(MINIMAL)
    recipe = load(file, ["model.num_layers=2", "train.batch={rows: 8}"])
    assert recipe.nodes["model"] == {"type": "Transformer", "hidden_dim": 16, "num_layers": 2}
    assert recipe.train.batch == {"rows": 8} and recipe.report.every == 500
    assert str(recipe.origins[("model", "hidden_dim")]) == f"{file}:4"
    assert str(recipe.origins[("model", "num_layers")]) == "command line"
    assert recipe.name == "mine"


def test_extends_merges_keys_and_a_new_type_replaces(write):
    write(MINIMAL + "report: {every: 10, samples: 2}\n", "parent.yaml")
    child = write(
        "extends: parent\nmodel: {num_layers: 1}\noptimizer: {type: Adam}\nreport: {every: 20}\n", "child.yaml"
    )
    nodes = load(child).nodes
    assert nodes["model"] == {"type": "Transformer", "hidden_dim": 16, "num_layers": 1}
    assert nodes["optimizer"] == {"type": "Adam"}
    assert nodes["report"] == {"every": 20, "samples": 2}


def test_only_one_level_is_extended(write):
    write(MINIMAL, "a.yaml")
    write("extends: a\n", "b.yaml")
    with pytest.raises(RecipeError, match="itself extends 'a'; only one level"):
        load(write("extends: b\n", "c.yaml"))
    with pytest.raises(RecipeError, match=r"d\.yaml:1: extends: no recipe is called 'nowhere_at_all'"):
        load(write("extends: nowhere_at_all\n", "d.yaml"))
    write("one word\n", "word.yaml")
    with pytest.raises(RecipeError, match=r"e\.yaml:2: extends: \S*word\.yaml: the recipe is a str; it should have"):
        load(write("# Mine.\nextends: word\n", "e.yaml"))
    write("model: {}\nmodel: {}\n", "twice.yaml")
    with pytest.raises(RecipeError, match=r"f\.yaml:1: extends: \S*twice\.yaml:2: 'model' stands here again"):
        load(write("extends: twice\n", "f.yaml"))


def test_references_are_filled_after_overrides(write):
    file = write(MINIMAL.replace("learning_rate: 0.1", "learning_rate: =model.hidden_dim"))
    assert load(file, ["model.hidden_dim=32"]).nodes["optimizer"]["learning_rate"] == 32
    broken = load(write(MINIMAL.replace("learning_rate: 0.1", "learning_rate: =model.hiden")))
    with pytest.raises(
        RecipeError, match=r"mine\.yaml:5: optimizer\.learning_rate: '=model\.hiden' .* mean 'hidden_dim'"
    ):
        broken.check()


def test_tilde_removes(write):
    file = write(MINIMAL)
    assert "hidden_dim" not in load(file, ["model.hidden_dim=~"]).nodes["model"]
    with pytest.raises(RecipeError, match=r"no 'model\.hiden_dim' to remove\. Did you mean 'hidden_dim'\?"):
        load(file, ["model.hiden_dim=~"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model", "is not key=value"),
        ("model.hidden_dim.x=1", "not a section that has options"),
        ("modle.hidden_dim=1", "no section 'modle'. Did you mean 'model'"),
        ("model=3", "should be a mapping of options"),
        ("model.hidden_dim=[1", "command line: model.hidden_dim"),
    ],
)
def test_overrides_that_mean_nothing(write, override, message):
    with pytest.raises(RecipeError, match=message) as raised:
        load(write(MINIMAL), [override])
    assert raised.value.status == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the recipe is empty"),
        ("- a", "the recipe is a list"),
        (
            MINIMAL.replace("model:", "modle:"),
            r"mine\.yaml:2: modle: a recipe has no section 'modle'\. Did you mean 'model'",
        ),
        ("problem: {type: Reverse}\n", "the section 'model' is missing"),
        (MINIMAL.replace("optimizer: {type: SGD, learning_rate: 0.1}", "optimizer: 3"), "should be a mapping"),
    ],
)
def test_files_that_are_no_recipe(write, text, message):
    with pytest.raises(RecipeError, match=message):
        load(write(text))


def test_an_unknown_name_is_answered_with_near_ones(tmp_path):
    with pytest.raises(RecipeError, match="no recipe is called 'quikstart'.*'quickstart'"):
        find("quikstart")
    assert find("quickstart").name == "quickstart.yaml" and "quickstart" in short_names()
    with pytest.raises(RecipeError, match="is a folder"):
        find(str(tmp_path))


def test_run_name_counts_what_changes_the_run(write):
    file = write(MINIMAL)
    assert run_name(load(file)) == "mine"
    assert run_name(load(file, ["train.steps=5", "report.every=1"])) == "mine"
    changed = run_name(load(file, ["model.num_layers=2"]))
    assert changed.startswith("mine-") and len(changed) == len("mine-") + 6
    assert changed == run_name(load(file, ["train.steps=7", "model.num_layers=2"]))


def test_a_recipe_of_sections_in_no_file():
    nodes = {
        "problem": {"type": "Reverse", "symbols": 10},
        "model": {"type": "Transformer"},
        "optimizer": {"type": "SGD"},
    }
    recipe = recipe_of(nodes, ["model.hidden_dim=8", "optimizer.momentum==model.hidden_dim"])
    assert recipe.nodes["model"] == {"type": "Transformer", "hidden_dim": 8}
    assert recipe.nodes["optimizer"] == {"type": "SGD", "momentum": 8}
    assert nodes["model"] == {"type": "Transformer"}
    assert recipe.overrides == ("model.hidden_dim=8", "optimizer.momentum==model.hidden_dim")
    with pytest.raises(RecipeError, match="command line: modell: a recipe has no section 'modell'"):
        recipe_of(nodes, ["modell.x=1"])


PARENT = """\
problem: {type: Reverse}
model: {type: Transformer}
optimizer:
  type: Adam
  learning_rate: {type: LinearToZero, steps: =train.steps, decay_steps: 5}
train: {steps: 9}
"""


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ("{type: Adam, steps: ~}", None),
        ("{steps: '='}", None),
        ("{steps: {type: 3}}", None),
        ("{steps: =report.every}", "child.yaml:2: train.steps: '=train.steps' refers to another reference, '=report.every'."),
    ],
)
def test_a_reference_of_the_parent_that_the_child_spoils_is_refused_in_the_child(tmp_path, train, told):
    (tmp_path / "parent.yaml").write_text(PARENT, encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text(f"extends: parent\ntrain: {train}\nreport: {{every: 3}}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as raised:
        load(str(child)).check()
    if told is not None:
        assert told in str(raised.value)
        assert f"optimizer.learning_rate.steps ({tmp_path / 'parent.yaml'}:5) refers to it." in str(raised.value)
    assert f"{child}:2" in str(raised.value)


def test_a_reference_that_the_command_line_spoils_is_refused_there(tmp_path):
    (tmp_path / "parent.yaml").write_text(PARENT, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"command line: train.steps: '=train.steps' refers to another reference, '=x'"):
        load(str(tmp_path / "parent.yaml"), ["train.steps='=x'"]).check()


def test_a_value_of_the_command_line_that_an_option_of_the_file_refers_to_is_refused_there(tmp_path):
    (tmp_path / "parent.yaml").write_text(PARENT.replace("decay_steps: 5", "decay_steps: =train.seed"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"^command line: train.seed: 'x' is not a whole number"):
        load(str(tmp_path / "parent.yaml"), ["train.seed=x"]).check()


def test_a_misspelt_key_whose_value_is_a_reference_is_refused_where_it_is(tmp_path):
    (tmp_path / "parent.yaml").write_text(PARENT, encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text("extends: parent\nmodel: {type: Transformer, num_head: =train.steps}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"child.yaml:2: model.num_head: Transformer has no option 'num_head'"):
        load(str(child)).check()


def test_a_type_that_is_no_name_is_refused_by_its_value(tmp_path):
    (tmp_path / "mine.yaml").write_text(PARENT.replace("type: Reverse", "type: 3"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"mine.yaml:1: problem.type: 3 is not the name of a class\."):
        load(str(tmp_path / "mine.yaml")).check()
