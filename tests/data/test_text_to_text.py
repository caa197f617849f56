"""Text to text: vocabularies, ends, features."""

from __future__ import annotations

import pytest

from kt2t.data.text_to_text import TextToText
from kt2t.data.vocabularies.bytes import Bytes
from kt2t.data.vocabularies.characters import Characters
from kt2t.errors import DataError
from kt2t.features import Label, Text
from kt2t.registry import build, describe, register


@register
class Echo(TextToText):
    """Reads `<path>/<split>.txt`; the answer to a line is the line."""

    def examples(self, split):
        with open(f"{self.path}/{split}.txt", encoding="utf-8") as file:
            for line in file:
                yield {"inputs": line.rstrip("\n"), "targets": line.rstrip("\n")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    (tmp_path / "raw").mkdir()
    for split in ("train", "validation"):
        (tmp_path / "raw" / f"{split}.txt").write_text("ab\nba\nabba\n")
    return str(tmp_path / "raw")


def test_bytes_by_default_with_an_end_on_both_sides():
    found = Echo().encode({"inputs": "a", "targets": "é"})
    assert found["inputs"].tolist() == [99, 1] and found["targets"].tolist() == [197, 171, 1]
    assert Echo().features() == {"inputs": Text(258), "targets": Text(258)}


def test_one_class_is_a_problem(folder):
    problem = Echo(path=folder)
    features, targets, weight = next(iter(problem.batches("train", rows=3)))
    assert sorted(problem.decode("targets", row) for row in targets) == ["ab", "abba", "ba"]
    assert weight.sum() == 3 + 3 + 5
    assert problem.references("validation")[2] == {"inputs": "abba", "targets": "abba"}


@register
class Noted(Echo):
    """Echo with notes, most of them empty."""

    def examples(self, split):
        for example in super().examples(split):
            yield {**example, "note": "" if example["inputs"] != "ab" else "first"}


def test_what_is_left_aside_may_be_empty(folder):
    problem = Noted(path=folder)
    problem.prepare()
    assert problem.prepared.manifest["splits"]["train"]["dropped"] == {}
    assert [one["inputs"] for one in problem.references("train")] == ["ab", "ba", "abba"]
    assert problem.reject({"inputs": "a", "targets": " ", "note": "b"}) == "empty targets"


def test_an_untrained_vocabulary_needs_prepare_and_is_found_again(folder):
    problem = Echo(path=folder, vocabulary=Characters())
    with pytest.raises(DataError, match=r"not trained yet. Call its prepare\(\) first, or run: kt2t prepare"):
        problem.features()
    problem.prepare()
    assert problem.features()["inputs"] == Text(258 + 2)
    assert Echo(path=folder, vocabulary=Characters()).features() == problem.features()


@register
class Sayings(Echo):
    """Lines to be learnt by a language model."""

    def fields(self):
        return ("targets",)

    def examples(self, split):
        for number, example in enumerate(super().examples(split)):
            yield {"targets": example["targets"], "number": number}


@pytest.mark.parametrize(
    "options", [{}, {"vocabulary": Characters()}, {"source_vocabulary": Bytes(), "target_vocabulary": Characters()}]
)
def test_targets_alone(folder, options):
    problem = Sayings(path=folder, **options)
    problem.prepare()
    assert list(problem.features()) == list(problem.expected_features()) == ["targets"]
    assert problem.prepared.manifest["vocabularies"].keys() == {"targets"}
    features, targets, weight = next(iter(problem.batches("train", rows=3)))
    assert sorted(features) == ["targets", "targets_segments"]
    assert sorted(problem.decode("targets", row) for row in targets) == ["ab", "abba", "ba"] and weight.sum() == 11
    assert sorted(problem.sample(2)) == ["targets", "targets_segments"]
    assert problem.references("validation")[2]["targets"] == "abba"


def test_an_example_without_a_field_is_named(folder, monkeypatch):
    monkeypatch.setattr(Echo, "examples", lambda self, split: iter([{"inputs": "a", "targets": "b"}, {"inputs": "c"}]))
    with pytest.raises(DataError, match=r"train example 1 has the fields \['inputs'\]; its features are"):
        Echo(path=folder).prepare()


def test_encoding_in_the_pool_of_prepare_takes_no_threads_of_its_own(folder, monkeypatch):
    taken = []
    encode_all = Bytes.encode_all
    monkeypatch.setattr(
        Bytes, "encode_all", lambda self, texts, threads=None: taken.append(threads) or encode_all(self, texts)
    )
    Echo(path=folder).prepare()
    assert set(taken) == {1}


def test_each_side_its_own_vocabulary(folder):
    problem = Echo(path=folder, source_vocabulary=Characters(), target_vocabulary=Bytes())
    problem.prepare()
    assert problem.features() == {"inputs": Text(260, vocabulary="source"), "targets": Text(258, vocabulary="target")}
    assert problem.encode({"inputs": "ab", "targets": "a"})["inputs"].tolist() == [258, 259, 1]


def test_a_vocabulary_that_came_trained_is_another_folder(folder):
    trained = Characters()
    trained.train(["xyz ab"])
    one, other = Echo(path=folder, vocabulary=trained), Echo(path=folder, vocabulary=Characters())
    assert one.prepare() != other.prepare()
    assert one.features()["inputs"].vocabulary_size == 258 + 6
    assert one.prepare() == one.prepared.folder


def test_a_target_space_is_the_same_field_in_every_example(folder):
    problem = Echo(path=folder, target_space=7)
    problem.prepare()
    assert problem.features()["target_space"] == Label(32)
    assert problem.expected_features().keys() == problem.encode({"inputs": "a", "targets": "b"}).keys()
    features, targets, _ = next(iter(problem.batches("train", rows=4)))
    assert features["target_space"].tolist() == [7] * len(targets) and features["target_space"].dtype == "int32"
    assert problem.encode({"inputs": "a"})["target_space"] == 7


def test_describe_and_build():
    node = {"type": "ParallelText", "train_files": ["a.tsv"], "vocabulary": {"type": "Subwords", "size": 300}}
    assert describe(build(node)) == node


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary": Bytes(), "source_vocabulary": Bytes()}, "vocabulary: given for both sides"),
        ({"source_vocabulary": Bytes()}, "target_vocabulary: missing"),
        ({"max_length": 0}, "max_length: 0 is not positive"),
        ({"target_space": 32}, "target_space: 32 is not from 0 to 31"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        Echo(**options)


@pytest.mark.parametrize("wrong", [0.5, True, "Subwords", {"size": 8000}, ["a"]], ids=str)
@pytest.mark.parametrize("option", ["vocabulary", "source_vocabulary", "target_vocabulary"])
def test_what_is_no_vocabulary_is_refused_with_an_example(option, wrong):
    from kt2t.data import Bytes, ParallelText

    options = {"source_vocabulary": Bytes(), "target_vocabulary": Bytes()} if option != "vocabulary" else {}
    with pytest.raises(ValueError, match=rf"^{option}: .* is no vocabulary. Name its type, as in {{type: Subwords"):
        ParallelText(train_files=["a.tsv"], **{**options, option: wrong})
