"""Symbols that are left out: how many, which ones, and that they are a function of the step."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.features import Label, Text
from kt2t.ops import randomness
from kt2t.training import SymbolDropout


class Known:
    features = {"inputs": Text(9), "targets": Text(9), "target_space": Label(3)}


IDS = np.full((40, 50), 7, "int32")
X = {"inputs": IDS, "targets": IDS + 1, "target_space": np.full(40, 2), "inputs_segments": np.ones_like(IDS)}


def dropped(step, rate=0.2):
    with randomness.root(3, step):
        return {name: numbers(value) for name, value in SymbolDropout(rate)(Known(), X).items()}


def test_a_share_of_every_text_becomes_0_and_nothing_else_changes():
    found = dropped(5)
    assert list(found) == list(X)
    for field, kept in (("inputs", 7), ("targets", 8)):
        assert set(np.unique(found[field])) == {0, kept}
        assert (found[field] == 0).mean() == pytest.approx(0.2, abs=0.04)
    assert ((found["inputs"] == 0) != (found["targets"] == 0)).any()
    for field in ("target_space", "inputs_segments"):
        np.testing.assert_array_equal(found[field], X[field])


def test_it_is_a_function_of_the_step():
    one, again, other = dropped(5), dropped(5), dropped(6)
    np.testing.assert_array_equal(one["inputs"], again["inputs"])
    assert (one["inputs"] != other["inputs"]).any()


def test_a_rate_of_0_changes_nothing():
    np.testing.assert_array_equal(dropped(5, rate=0.0)["inputs"], IDS)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match=r"rate: 1\.0 is not from 0 to below 1"):
        SymbolDropout(1.0)
    with pytest.raises(ValueError, match="the model reads no Text"):
        SymbolDropout(0.1).check({"targets": Label(3)})
    SymbolDropout(0.1).check(Known.features)
