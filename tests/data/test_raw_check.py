"""Prepared records that are not what the problem's code gives now are refused."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data import raw_check
from kt2t.data.language.text_files import TextFiles
from kt2t.data.problem import Problem
from kt2t.data.raw_check import check_raw
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies import Words
from kt2t.errors import DataError
from kt2t.features import END, Label, Text
from kt2t.registry import register


@register
class Grown(Problem):
    """Rows of numbers from a start that nobody tells the fingerprint of, such as a clock."""

    begin, count, width = 0, 30, 3

    def examples(self, split):
        for number in range(type(self).begin, type(self).begin + type(self).count):
            yield {"inputs": [2 + number % 5] * type(self).width, "targets": number % 3}

    def encode(self, example):
        return {"inputs": np.array([*example["inputs"], END]), "targets": np.array(example["targets"])}

    def features(self):
        return {"inputs": Text(9), "targets": Label(3)}


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path))
    problem = Grown()
    folder = problem.prepare()
    again = Grown()
    again.use(folder)
    check_raw(again)
    return again


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("width", 2, r"inputs of example 0 is \[2 2 1\], in the record \[2 2 2 1\]"),
        ("begin", 5, r"targets of example 0 is 2, in the record 0"),
        ("count", 2, "there are 2 examples now and 30 records"),
    ],
)
def test_what_differs_is_told(prepared, monkeypatch, name, value, told):
    monkeypatch.setattr(Grown, name, value)
    with pytest.raises(DataError, match=rf"was prepared from other data than Grown.examples\('train'\) gives now: {told}"):
        check_raw(prepared)


def test_texts_are_shown_as_texts(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"line {n}\tZeile {n}\n" for n in range(300)))
    problem = ParallelText(train_files=str(path), vocabulary=Words(400))
    problem.prepare(tmp_path / "data")
    path.write_text("".join(f"Zeile {n}\tline {n}\n" for n in range(300)))
    with pytest.raises(DataError, match=r"inputs of example 0 is 'Zeile \d+', in the record 'line \d+'"):
        check_raw(problem)


def test_a_text_that_is_cut_into_windows_is_checked_too(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("".join(f"line {n}\n" for n in range(300)))
    problem = TextFiles(train_files=str(path), validation_files=str(path), length=20)
    problem.prepare(tmp_path / "data")
    check_raw(problem)
    path.write_text("".join(f"Zeile {n}\n" for n in range(300)))
    with pytest.raises(DataError, match=r"targets of example 0 is 'Zeile 0.*', in the record 'line 0"):
        check_raw(problem)


@register
class Sorted(Grown):
    """Joins all examples, so its first record needs them all."""

    def cut(self, split, examples):
        yield from sorted(examples, key=lambda example: -int(example["inputs"][0]))


def test_a_cut_that_needs_very_many_examples_is_not_checked(tmp_path, monkeypatch):
    problem = Sorted()
    problem.prepare(tmp_path)
    monkeypatch.setattr(Grown, "width", 2)
    with pytest.raises(DataError, match="was prepared from other data"):
        check_raw(problem)
    monkeypatch.setattr(raw_check, "MOST", 20)
    check_raw(problem)


@register
class Damaged(Grown):
    """Its first example is damaged."""

    skip = 1

    def encode(self, example):
        if example["targets"] == 0 and example["inputs"][0] == 2:
            raise DataError("it is damaged.")
        return super().encode(example)


def test_examples_that_were_left_out_are_left_out_of_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(Grown, "count", 15)  # number 0 alone is damaged
    assert Damaged().prepare(tmp_path).is_dir()


NOTEBOOK = """
from kt2t.data.problem import Problem
from kt2t.features import Text
import numpy as np

def clean(text):
    return text.{how}()

class Shouted(Problem):
    def examples(self, split):
        for number in range(30):
            yield {{"inputs": clean(f"Line {{number}}"), "targets": clean("x")}}

    def encode(self, example):
        return {{field: np.frombuffer(text.encode(), np.uint8) for field, text in example.items()}}

    def features(self):
        return {{"inputs": Text(256), "targets": Text(256)}}
"""


def test_a_changed_helper_of_a_notebook_prepares_again(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path))
    rows = {}
    for how in ("lower", "upper", "lower"):
        scope = {"__name__": "notebook_of_raw_check"}
        exec(NOTEBOOK.format(how=how), scope)
        problem = scope["Shouted"]()
        folder = problem.prepare()
        (record,) = problem.prepared.records("train").read([1])
        rows.setdefault(how, []).append((folder, record["inputs"].astype(np.uint8).tobytes()))
    assert rows["lower"][0] == rows["lower"][1] != rows["upper"][0]
    assert (rows["lower"][0][1], rows["upper"][0][1]) == (b"line 1", b"LINE 1")
