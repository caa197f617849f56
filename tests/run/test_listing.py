"""What can be listed, and that a recipe may name it."""

import subprocess
import sys

import pytest

from kt2t.registry import lookup
from kt2t.run.listing import KINDS, WHAT, first_line, listed

SLOTS = {"optimizers": "optimizer", "schedules": "learning_rate", "losses": "loss", "metrics": "metric"}
OF_KERAS = {"optimizers": "Lion", "schedules": "CosineDecay", "losses": "CategoricalHinge", "metrics": "AUC"}


@pytest.mark.parametrize(("what", "name"), OF_KERAS.items())
def test_those_of_keras_are_listed_behind_ours_and_marked(what, name):
    rows = listed(what)
    sides = [row["from"] for row in rows]
    assert sides == sorted(sides, reverse=True) and set(sides) == {"kt2t", "Keras"}
    assert {row["name"]: row["from"] for row in rows}[name] == "Keras"
    assert len({row["name"] for row in rows}) == len(rows) and all(row["about"] for row in rows)


@pytest.mark.parametrize(("what", "slot"), SLOTS.items())
def test_a_recipe_may_name_each(what, slot):
    for row in listed(what):
        assert (lookup(row["name"], slot).__module__.partition(".")[0] == "kt2t") == (row["from"] == "kt2t")


def test_each_class_of_a_package_is_of_one_kind():
    schedules, optimizers = ({row["name"] for row in listed(what)} for what in ("schedules", "optimizers"))
    assert not schedules & optimizers and "Noam" in schedules
    assert not {row["name"] for row in listed("problems")} & {row["name"] for row in listed("vocabularies")}
    assert "Search" not in {row["name"] for row in listed("searches")}


def test_a_class_without_a_source_has_no_line():
    assert first_line("kt2t.nowhere", "Nothing") == "" and first_line("kt2t.models.transformer", "Nothing") == ""


def test_listing_imports_no_keras():
    code = "import sys; from kt2t.run.listing import WHAT, listed; [listed(one) for one in WHAT]; "
    code += "sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert set(KINDS) < set(WHAT)
