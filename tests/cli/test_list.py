import json

import pytest

from kt2t.cli.main import run
from kt2t.recipe_file import short_names

KINDS = {
    "problems": "Multi30k",
    "models": "Transformer",
    "layers": "Attention",
    "recipes": "quickstart",
    "vocabularies": "Subwords",
    "optimizers": "Adam",
    "schedules": "Noam",
    "losses": "CrossEntropy",
    "metrics": "Perplexity",
    "scores": "Bleu",
    "searches": "Beam",
    "callbacks": "TensorBoard",
}


@pytest.mark.parametrize(("what", "name"), KINDS.items())
def test_each_has_a_line(what, name, capsys):
    assert run(["list", what, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert name in {row["name"] for row in rows}
    assert all(row["about"] for row in rows)
    assert run(["list", what]) == 0
    assert name in capsys.readouterr().out


def test_bases_are_no_problems_to_choose(capsys):
    run(["list", "problems", "--json"])
    assert not {"Problem", "TextToText", "RunningText"} & {row["name"] for row in json.loads(capsys.readouterr().out)}


def test_all_recipes_are_listed(capsys):
    run(["list", "recipes", "--json"])
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(short_names())
