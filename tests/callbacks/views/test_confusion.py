"""Which class is taken for which, counted and drawn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import kt2t.callbacks.views.confusion as module
from kt2t.callbacks import Confusion
from kt2t.callbacks.views.confusion import OTHERS, counted, draw, table


def test_labels_and_tags_are_counted():
    assert counted([("a", "a"), ("a", "b"), ("a", "b")]) == {("a", "a"): 1, ("a", "b"): 2}
    assert counted([(["N", "V"], ["N", "N", "X"]), ([], ["N"])]) == {("N", "N"): 1, ("V", "N"): 1}
    assert counted([(np.zeros(2), np.zeros(2))]) == {}


def test_rows_are_right_and_columns_predicted():
    names, matrix = table({("b", "a"): 3, ("b", "b"): 1, ("a", "a"): 2}, 5)
    assert names == ["a", "b"] and matrix.tolist() == [[2, 0], [3, 1]]


def test_names_come_in_the_order_of_their_ids_or_of_numbers():
    assert table({("10", "9"): 1, ("2", "2"): 1}, 5)[0] == ["2", "9", "10"]
    assert table({("b", "a"): 1}, 5, ["c", "b", "a"])[0] == ["b", "a"]


def test_of_many_classes_the_rarest_are_together():
    counts = {(str(one), str(one)): one + 1 for one in range(10)} | {("9", "0"): 5}
    names, matrix = table(counts, 4)
    assert names == ["7", "8", "9", OTHERS] and matrix.sum() == sum(range(1, 11)) + 5
    assert matrix[2].tolist() == [0, 0, 10, 5] and matrix[3].tolist() == [0, 0, 0, sum(range(1, 8))]


def test_a_picture():
    assert draw(np.array([[3, 1], [0, 12_345]]), ["no", "a long name of a class"], "$title$").startswith(b"\x89PNG")


class Problem:
    def __init__(self, targets, references):
        self.targets, self._references = targets, references

    def features(self):
        return {"inputs": None, "targets": self.targets}

    def references(self, split):
        return [{"targets": one} for one in self._references]

    def vocabularies(self):
        return {"targets.b": SimpleNamespace(names=["y", "x"])}


@pytest.fixture
def drawn(monkeypatch):
    seen = {}

    def draw(matrix, names, title):
        seen[title] = (names, matrix.tolist())
        return b"png"

    monkeypatch.setattr(module, "draw", draw)
    return seen


def answers(monkeypatch, values):
    monkeypatch.setattr(module, "decode_split", lambda model, problem, split, search, limit: enumerate(values))
    return SimpleNamespace(answer=None, optimizer=None)


def test_answers_meet_their_references(monkeypatch, drawn):
    model = answers(monkeypatch, ["a", "b"])
    assert Confusion(Problem(None, ["a", "a"])).render(model) == {"confusion": b"png"}
    assert drawn == {"targets: 2 validation examples": (["a", "b"], [[1, 1], [0, 0]])}


def test_each_of_several_targets_has_a_matrix(monkeypatch, drawn):
    model = answers(monkeypatch, [{"a": ["N", "V"], "b": "x", "c": 1.0}])
    problem = Problem({"a": None, "b": None, "c": None}, [{"a": ["N", "N"], "b": "y", "c": 2.0}])
    assert list(Confusion(problem).render(model)) == ["confusion/a", "confusion/b"]
    assert drawn["targets.a: 1 validation examples, 2 tags"] == (["N", "V"], [[1, 1], [0, 0]])
    assert drawn["targets.b: 1 validation examples"] == (["y", "x"], [[0, 1], [0, 0]])


def test_nothing_where_nothing_is_answered():
    assert Confusion(Problem(None, [])).render(object()) == {}
    with pytest.raises(ValueError, match="limit: 0"):
        Confusion(None, limit=0)
    with pytest.raises(ValueError, match="classes: 1 leaves nothing to confuse"):
        Confusion(None, classes=1)
