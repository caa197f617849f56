import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from kt2t.data import Problem, TextToText
from kt2t.data.pictures import png
from kt2t.data.vocabularies import Bytes
from kt2t.decoding import Greedy
from kt2t.errors import DataError, RunError
from kt2t.features import Image, Label, Tags, Text
from kt2t.models import TransformerEncoder, TransformerLM
from kt2t.run import predict
from kt2t.run.predict import Predictor

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
    assert told[-1] == (2, None, "lines")


def test_a_line_that_the_vocabulary_does_not_know_is_named(predictor):
    answers = predictor.lines(["1 2", "", "abc", "9"], source="words.txt")
    assert [next(answers), next(answers)] == [predictor(["1 2"])[0], ""], "what comes before it is answered"
    with pytest.raises(DataError, match=r"^words.txt:3: 'abc' is not a list of whole numbers") as caught:
        next(answers)
    assert caught.value.status == 3
    with pytest.raises(DataError, match=r"^words.txt:21: 'abc'"):
        list(predictor.lines([*["1"] * 20, "abc"], source="words.txt"))
    with pytest.raises(DataError, match=r"^lines:3: 9 to 9: symbols are from 0 to 4"):
        predictor(["1 2", "", "9"])


def test_rows_that_are_no_line_are_not_decoded(predictor, monkeypatch):
    asked = []

    def answer(features, search=None, draw=0):
        asked.append((draw, features["inputs"]))
        rows = len(features["inputs"])
        return {"values": np.ones((rows, 1, 1), "int32"), "scores": np.zeros((rows, 1))}

    monkeypatch.setattr(predictor, "model", SimpleNamespace(answer=answer))
    monkeypatch.setattr(predictor, "_batches", itertools.count())
    assert len(list(predictor.lines(["1 2", "3", "4 1 0"], tokens=8))) == 3
    assert [draw for draw, _ in asked] == list(range(len(asked)))
    assert all((rows[:, 0] != 0).all() for _, rows in asked)


def test_a_language_model_goes_on_from_each_line(monkeypatch):
    problem, model = Texts(), TransformerLM({"targets": Text(Bytes().size)}, **SIZES)
    assembly = SimpleNamespace(problem=problem, model=model, search=Greedy(extra_length=3), recipe=None)
    monkeypatch.setattr(predict, "restored", lambda *_, **__: SimpleNamespace(assembly=assembly, step=1))
    answers = Predictor("run")(["ab", "", "a longer line"])
    assert [answer[: len(line)] for answer, line in zip(answers, ["ab", "", "a longer line"], strict=True)] == [
        "ab",
        "",
        "a longer line",
    ]


def test_documents_keep_their_lines(monkeypatch):
    problem, model = Texts(), TransformerLM({"targets": Text(Bytes().size)}, **SIZES)
    made = restored(monkeypatch, problem, model, Greedy(extra_length=3))
    texts = ["a\nb\n", "one line"]
    answers = list(made.documents(texts))
    assert [answer[: len(text)] for answer, text in zip(answers, texts, strict=True)] == texts
    assert json.loads(next(made.documents(texts, as_json=True)))["text"] == answers[0]
    assert made(texts[:1])[0].startswith("a b") and "\n" not in made(texts[:1])[0]  # one line where lines are asked for


def test_a_document_for_a_reader_of_inputs_ends_without_line_ends(predictor):
    assert list(predictor.documents(["1 2\n\n"])) == predictor(["1 2"])


def test_a_blank_line_is_answered_with_a_blank_line(predictor):
    answers = predictor(["1 2", "", " \t", "3"])
    assert answers[1:3] == ["", ""] and answers[0] == predictor(["1 2"])[0] and answers[3] == predictor(["3"])[0]
    assert list(predictor.lines(["", "1"], as_json=True))[0] == "" and predictor(["", ""]) == ["", ""]


def test_answers_come_as_soon_as_their_batch_is_done(predictor):
    """Of a long input the first lines are answered before the later ones are read."""
    read = []

    def lines():
        for number in range(100):
            read.append(number)
            yield f"{number % 5} {number % 3}"

    answers = predictor.lines(lines())
    next(answers)
    assert len(read) == 16
    assert len(list(answers)) == 99 and len(read) == 100


def restored(monkeypatch, problem, model, search=None):
    assembly = SimpleNamespace(problem=problem, model=model, search=search, recipe=None)
    monkeypatch.setattr(predict, "restored", lambda *_, **__: SimpleNamespace(assembly=assembly, step=1))
    return Predictor("run")


class Sentences(Problem):
    """Texts with a tag for each byte and a label."""

    def encode(self, example):
        return {"inputs": np.array([*Bytes().encode(example["inputs"]), 1])}

    def features(self):
        return {"inputs": Text(258), "targets": {"tags": Tags(2), "kind": Label(2)}}

    def vocabularies(self):
        kinds = SimpleNamespace(names=["order", "question"])
        return {"inputs": Bytes(), "targets.tags": SimpleNamespace(names=["N", "V"]), "targets.kind": kinds}


def answers_of(features, search=None, draw=0):
    inputs = features["inputs"]
    tags = np.where(inputs > 0, 1 + inputs % 2, 0)
    return {"values": {"tags": tags[:, None], "kind": (inputs[:, :1] == 2 + ord("?")).astype("int32")}}


def test_tags_and_labels_are_one_line_for_each_line(monkeypatch):
    made = restored(monkeypatch, Sentences(), SimpleNamespace(answer=answers_of))
    ids = Bytes().encode("ab")
    tags = ["NV"[one % 2] for one in [*ids, 1]]
    assert made(["ab", "?"])[0] == " ".join(tags) + "\torder" and made(["?"])[0].endswith("\tquestion")
    found = json.loads(list(made.lines(["ab"], as_json=True))[0])
    assert found["value"] == {"tags": tags, "kind": "order"} and found["text"] == " ".join(tags) + "\torder"
    assert found["hypotheses"] == [{"text": found["text"], "value": found["value"]}]


class Digits(Problem):
    def encode(self, example):
        return {field: np.asarray(value) for field, value in example.items()}

    def features(self):
        return {"inputs": Image(2, 2, 1), "targets": Label(10)}


def test_a_model_of_pictures_reads_paths(monkeypatch, tmp_path):
    def answer(features, search=None, draw=0):
        return {"values": features["inputs"].max((1, 2, 3)).astype("int32")[:, None]}

    made = restored(monkeypatch, Digits(), SimpleNamespace(answer=answer))
    for digit in (3, 8):
        (tmp_path / f"{digit}.png").write_bytes(png(np.full((2, 2, 1), digit)))
    paths = [str(tmp_path / f"{digit}.png") for digit in (8, 3)]
    assert made.reads_files and made(paths) == ["8", "3"] and made([paths[0], "", paths[1]]) == ["8", "", "3"]
    with pytest.raises(DataError, match="^lines:2: 'nowhere.png' does not exist"):
        made([paths[0], "nowhere.png"])
    with pytest.raises(DataError, match="^'nowhere.png' does not exist"):
        list(made.lines(["nowhere.png"], source=None))


def test_an_encode_that_needs_the_answer_is_told(monkeypatch):
    class Needs(Digits):
        def features(self):
            return {"inputs": Text(9), "targets": Label(10)}

        def encode(self, example):
            return {"targets": example["targets"]}

    made = restored(monkeypatch, Needs(), SimpleNamespace(answer=None))
    with pytest.raises(RunError, match="Needs.encode needs the field 'targets', which `predict` does not have"):
        made(["a"])


def test_a_classifier_of_texts_answers_in_earnest(monkeypatch):
    class Lines(Sentences):
        def features(self):
            return {"inputs": Text(258), "targets": Label(2)}

        def vocabularies(self):
            return {"inputs": Bytes(), "targets": SimpleNamespace(names=["order", "question"])}

    problem = Lines()
    model = TransformerEncoder(problem.features(), **SIZES)
    made = restored(monkeypatch, problem, model)
    lines = ["a", "what is this?", "b c d"]
    found = made(lines)
    assert set(found) <= {"order", "question"} and found == [made([line])[0] for line in lines]
    assert json.loads(list(made.lines(["a"], as_json=True))[0])["text"] == found[0]


def test_a_model_without_answers_is_refused(monkeypatch):
    with pytest.raises(RunError, match="has no `answer`"):
        restored(monkeypatch, Digits(), SimpleNamespace())
