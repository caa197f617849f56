import json
from types import SimpleNamespace

import numpy as np
import pytest

from kt2t.data import TextToText
from kt2t.data.vocabularies import Bytes
from kt2t.decoding import Greedy
from kt2t.errors import DataError
from kt2t.features import Text
from kt2t.models import TransformerLM
from kt2t.run import predict
from kt2t.run.predict import Predictor, lines_of

SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}


class Texts(TextToText):
    def fields(self):
        return ("targets",)


@pytest.fixture(scope="module")
def predictor(tiny_run):
    return Predictor(tiny_run, "last", ["report.decode={type: Beam, beams: 3, n_best: 2}"])


def test_lines_come_back_in_the_same_order(predictor):
    lines = ["1 2 3", "0", "4 4 1 0", "2 3"]
    together = predictor(lines)
    assert len(together) == 4
    assert together == [predictor([line])[0] for line in lines]
    assert list(predictor.lines(lines, tokens=5)) == together


def test_json_has_every_hypothesis_with_its_score(predictor):
    (line,) = predictor.lines(["1 2 3"], as_json=True)
    found = json.loads(line)
    assert [h["text"] for h in found["hypotheses"]][0] == found["text"] and len(found["hypotheses"]) == 2
    assert all(isinstance(h["cut"], bool) for h in found["hypotheses"])
    assert found["hypotheses"][0]["score"] >= found["hypotheses"][1]["score"]


def test_nothing_in_nothing_out_and_progress_is_told(predictor):
    assert predictor([]) == []
    told = []
    list(predictor.lines(["1", "2"], progress=lambda *words: told.append(words)))
    assert told[-1] == (2, 2, "lines")


def test_a_line_that_the_vocabulary_does_not_know_is_named(predictor):
    with pytest.raises(DataError, match=r"^words.txt:2: 'abc' is not a list of whole numbers") as caught:
        list(predictor.lines(["1 2", "abc", "9"], source="words.txt"))
    assert caught.value.status == 3
    with pytest.raises(DataError, match=r"^lines:3: 9 to 9: symbols are from 0 to 4"):
        predictor(["1 2", "", "9"])


def test_rows_that_are_no_line_are_not_decoded(predictor, monkeypatch):
    asked = []

    def generate(features, search=None, draw=0):
        asked.append((draw, features["inputs"]))
        rows = len(features["inputs"])
        return {"ids": np.ones((rows, 1, 1), "int32"), "scores": np.zeros((rows, 1))}

    monkeypatch.setattr(predictor, "model", SimpleNamespace(generate=generate))
    assert len(list(predictor.lines(["1 2", "3", "4 1 0"], tokens=8))) == 3
    assert [draw for draw, _ in asked] == list(range(len(asked)))
    assert all((rows[:, 0] != 0).all() for _, rows in asked)


def test_a_language_model_goes_on_from_each_line(monkeypatch):
    problem, model = Texts(), TransformerLM({"targets": Text(Bytes().size)}, **SIZES)
    assembly = SimpleNamespace(problem=problem, model=model, search=Greedy(extra_length=3))
    monkeypatch.setattr(predict, "restored", lambda *_: SimpleNamespace(assembly=assembly, step=1))
    answers = Predictor("run")(["ab", "", "a longer line"])
    assert [answer[: len(line)] for answer, line in zip(answers, ["ab", "", "a longer line"], strict=True)] == [
        "ab",
        "",
        "a longer line",
    ]


def test_lines_of_bytes():
    assert lines_of(b"a\r\n\nb", "x") == ["a", "", "b"]
    assert lines_of(b"a\n", "x") == ["a"] and lines_of(b"", "x") == []
    assert lines_of(b"\xef\xbb\xbfa\nb", "x") == ["a", "b"]
    assert lines_of(b"a\rb\rc\r", "x") == ["a", "b", "c"]
    assert lines_of(b"a\n\xef\xbb\xbfb\n", "x") == ["a", "b"]
    with pytest.raises(DataError, match="x:1: 2 carriage returns"):
        lines_of(b"a\rb\rc\nd\n", "x")
    with pytest.raises(DataError, match=r"x:2: byte 1 \(0xff\) is not UTF-8"):
        lines_of(b"a\n\xff\n", "x")
    with pytest.raises(DataError, match="x:1: byte 2 is NUL"):
        lines_of(b"a\0\n", "x")
