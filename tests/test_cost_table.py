"""The table of costs, from reports that are made up."""

from __future__ import annotations

import json
from types import SimpleNamespace

import cost_table

MODELS = ["model", "transformer", "transformer_lm"]


def report(test, when, duration, **properties):
    return SimpleNamespace(nodeid=test, when=when, duration=duration, user_properties=list(properties.items()))


def test_seconds_are_summed_over_the_phases_and_taken_from_children():
    child = json.dumps({"tests/models/test_transformer.py::test_a": 3.0})
    reports = [
        report("tests/test_x.py::test_a", "setup", 1.0),
        report("tests/test_x.py::test_a", "call", 2.0, **{cost_table.PROPERTY: child}),
        report("tests/test_x.py::test_a", "teardown", 0.5, **{cost_table.PROPERTY: child}),
        SimpleNamespace(),  # a warning, which has no duration
    ]
    here, on_jax = cost_table.seconds_of(reports)
    assert here == {"tests/test_x.py::test_a": 3.5}
    assert on_jax == {"tests/models/test_transformer.py::test_a": 3.0}


def test_the_model_and_the_recipe_of_a_test():
    assert cost_table.model_of("tests/models/test_transformer_lm.py::test_a[b]", MODELS) == "transformer_lm"
    assert cost_table.model_of("tests/golden/test_transformer_base.py::test_a", MODELS) == "transformer"
    assert cost_table.model_of("tests/golden/test_transformer_lm_big.py::test_a", MODELS) == "transformer_lm"
    assert cost_table.model_of("tests/golden/test_norms.py::test_a", MODELS) is None
    assert cost_table.model_of("tests/layers/test_transformer_block.py::test_a", MODELS) is None
    assert cost_table.recipe_of("tests/test_recipes_train.py::test_a[translation/small]") == "translation/small"
    assert cost_table.recipe_of("tests/test_recipes_train.py::test_a") is None
    assert cost_table.recipe_of("tests/test_recipe.py::test_a[quickstart]") is None


def test_the_table_has_the_most_expensive_first_and_both_backends():
    here = {"tests/models/test_transformer.py::a": 1.0, "tests/models/test_transformer_lm.py::a": 4.0}
    on_jax = {"tests/models/test_transformer.py::a": 5.25, "tests/layers/test_x.py::b": 9.0}
    lines = cost_table.table({**here, "tests/test_recipes_train.py::t[quickstart]": 2.0}, on_jax, MODELS)
    assert [line.split() for line in lines if line.startswith("  ") and "::" not in line] == [
        ["transformer", "1.0", "5.2", "6.2"],
        ["transformer_lm", "4.0", "0.0", "4.0"],
        ["quickstart", "2.0", "0.0", "2.0"],
    ]
    assert lines[-2].split() == ["9.00s", "tests/layers/test_x.py::b"]
    assert cost_table.table({"tests/ops/test_x.py::a": 1.0}, {}, MODELS) == []
