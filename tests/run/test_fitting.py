"""A model that does not fit the problem is refused before the data is prepared."""

import pytest

from kt2t.data import Problem
from kt2t.errors import RecipeError
from kt2t.recipe_file import load
from kt2t.run.assemble import problem_of
from kt2t.run.fitting import check_fit
from kt2t.run.train import train

ENCODER = "{type: TransformerEncoder, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2}"
TAGS = "{type: ConlluTags, train_files: train.conllu}"


@pytest.fixture
def prepares(monkeypatch):
    """Notes each preparation."""
    noted = []
    prepare = Problem.prepare
    monkeypatch.setattr(Problem, "prepare", lambda *args, **kwargs: noted.append(1) or prepare(*args, **kwargs))
    return noted


def test_before_preparing_and_with_the_command_line_named(tiny, tmp_path, prepares):
    recipe = load(str(tiny), [f"model={ENCODER}"])
    recipe.check()
    with pytest.raises(RecipeError, match=r"^command line: model.type: TransformerEncoder does not write Text.* Use Tr"):
        train(recipe, tmp_path / "run", tmp_path / "data")
    assert not prepares and not (tmp_path / "run").exists() and not (tmp_path / "data").exists()


def test_of_the_file_where_it_stands_there(tiny, tmp_path, prepares):
    lines = tiny.read_text().splitlines()
    lines[2] = f"model: {ENCODER}"
    tiny.write_text("\n".join(lines))
    with pytest.raises(RecipeError, match=r"tiny.yaml:3: model.type: TransformerEncoder does not write"):
        train(load(str(tiny)), tmp_path / "run", tmp_path / "data")
    assert not prepares


def test_a_problem_given_on_the_command_line_is_named(tiny_transformer, tmp_path, prepares):
    (tmp_path / "train.conllu").write_text("1\ta\ta\tDET\t_\t_\t0\troot\t_\t_\n\n")
    recipe = load(str(tiny_transformer), [f"problem={TAGS}"])
    with pytest.raises(RecipeError, match=r"^command line: problem.type: Transformer writes Text, and the targets are Tags"):
        check_fit(recipe, problem_of(recipe), tmp_path / "data")


def test_what_is_known_only_later_is_left_alone(tiny, tmp_path, monkeypatch):
    recipe = load(str(tiny), [f"model={ENCODER}"])
    problem = problem_of(recipe)
    monkeypatch.setattr(type(problem), "expected_features", lambda self: 1 / 0)
    check_fit(recipe, problem, tmp_path / "data")
