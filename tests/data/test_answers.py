"""Problems of every kind judge, decode and show their answers by the kinds of their fields."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kt2t.data import Problem
from kt2t.data.vocabularies import Bytes
from kt2t.features import Audio, Encoded, Image, Label, Numbers, Tags, Text
from kt2t.losses import CrossEntropy

TAGS = SimpleNamespace(names=["N", "V"], trained=True)
KINDS = SimpleNamespace(names=["order", "question"], trained=True)


class Sentences(Problem):
    """Bytes of a sentence with a tag for each, and a label for all of it."""

    def examples(self, split):
        yield {"inputs": "ab", "targets": {"tags": ["N", "V"], "kind": "question"}, "source": 7}

    def encode(self, example):
        targets = example["targets"]
        return {
            "inputs": np.array(Bytes().encode(example["inputs"])),
            "targets": {
                "tags": np.array([TAGS.names.index(tag) + 1 for tag in targets["tags"]]),
                "kind": np.array(KINDS.names.index(targets["kind"])),
            },
        }

    def features(self):
        return {"inputs": Text(258), "targets": {"tags": Tags(2), "kind": Label(2)}}

    def vocabularies(self):
        return {"inputs": Bytes(), "targets.tags": TAGS, "targets.kind": KINDS}


class Digits(Problem):
    """A picture of a digit, stored as a file."""

    def encode(self, example):
        return {"inputs": np.frombuffer(example["inputs"], np.uint8), "targets": np.array(example["targets"])}

    def features(self):
        return {"inputs": Image(2, 3, 1), "targets": Label(10)}

    def stored(self):
        return {"inputs": Encoded(), "targets": Label(10)}


def test_several_targets_have_losses_metrics_and_scores_by_key():
    problem = Sentences()
    assert {key: type(loss) for key, loss in problem.loss().items()} == {"tags": CrossEntropy, "kind": CrossEntropy}
    assert [metric.name for metric in problem.metrics()["kind"]] == ["accuracy", "perplexity"]
    assert {key: [one.name for one in scores] for key, scores in problem.scores().items()} == {
        "tags": ["tag_accuracy"],
        "kind": ["accuracy"],
    }


def test_the_option_loss_is_for_all_targets_or_for_some():
    smooth = {"type": "CrossEntropy", "label_smoothing": 0.1}
    both = Sentences(loss=smooth).loss()
    assert both["tags"].label_smoothing == both["kind"].label_smoothing == 0.1
    some = Sentences(loss={"kind": smooth}).loss()
    assert some["tags"].label_smoothing == 0 and some["kind"].label_smoothing == 0.1
    with pytest.raises(ValueError, match="loss: there is no target 'knid'. There are: tags, kind"):
        Sentences(loss={"knid": smooth}).loss()


def test_several_targets_are_decoded_compared_and_written():
    problem = Sentences()
    arrays = {"tags": np.array([2, 1, 0]), "kind": np.array(1)}
    decoded = problem.decode("targets", arrays)
    assert decoded == {"tags": ["V", "N"], "kind": "question"}
    assert problem.decode("targets.tags", arrays["tags"]) == ["V", "N"]
    assert problem.written("targets", decoded) == "V N\tquestion"
    assert problem.told("targets", arrays) == {"tags": "V N", "kind": "question"}
    (example,) = problem.examples("train")
    assert problem.values(example) == {
        "inputs": "ab",
        "targets": {"tags": ["N", "V"], "kind": "question"},
        "source": "7",
    }
    assert problem.texts(example) == {"inputs": "ab", "targets": "N V\tquestion", "source": "7"}
    scores = {"tags_tag_accuracy": 0.0, "kind_accuracy": 1.0}
    assert problem.score([decoded], [problem.values(example)]) == scores
    assert problem.score([decoded], [problem.values(example)["targets"]]) == scores


def test_several_targets_are_shown_hypothesis_by_hypothesis():
    answer = {"values": {"tags": np.array([[[1, 2]], [[2, 2]]]), "kind": np.array([[0], [1]])}}
    targets = {"tags": np.array([[1, 2], [1, 1]]), "kind": np.array([1, 1])}
    sample = {"inputs": np.array([[99, 100], [100, 99]]), "targets": targets}
    assert Sentences().show(answer, sample).split("\n") == [
        "    inputs: ab", "   targets: N V\tquestion", " predicted: N V\torder",
        "    inputs: ba", "   targets: N N\tquestion", " predicted: V V\tquestion",
    ]  # fmt: skip


def test_pictures_and_sounds_are_described_in_texts_not_written_out():
    problem = Digits()
    example = {"inputs": b"\xff\xd8 a file", "targets": 3}
    assert problem.texts(example) == {"inputs": "<file of 9 bytes>", "targets": "3"}
    picture = np.zeros((1, 2, 3, 1), "uint8")
    assert problem.show([[3]], {"inputs": picture}).split("\n") == ["    inputs: <2×3×1 picture>", " predicted: 3"]
    assert problem.told("inputs", picture[0]).startswith(b"\x89PNG")
    assert problem.reads_files("inputs") and not problem.reads_files("targets")


def test_a_person_types_what_a_record_stores(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"bytes of a picture")
    assert Digits().read("inputs", str(tmp_path / "a.jpg")) == b"bytes of a picture"
    assert Digits().read("targets", "7") == 7 and Sentences().read("targets.kind", "question") == 1
    assert Sentences().read("inputs", "a line") == "a line"


def test_views_follow_from_the_fields():
    assert [view["type"] for view in Digits().views()] == ["DecodedText", "Pictures", "Confusion", "AttentionMaps"]
    assert [view["type"] for view in Sentences().views()] == ["DecodedText", "Confusion", "AttentionMaps"]


def test_a_problem_s_own_judges_come_first():
    class Own(Digits):
        def loss(self):
            return "mine"

        def scores(self):
            return []

        def decode(self, field, value):
            return "own"

    assert Own().loss() == "mine" and Own().score([1], [2]) == {}
    assert Own().told("targets", np.array(1)) == "own" and Own().show([[3]]) == " predicted: own"


class Sounds(Digits):
    def encode(self, example):
        return {"inputs": np.asarray(example["inputs"], "float32"), "targets": np.array(example["targets"])}

    def features(self):
        return {"inputs": Audio(8000), "targets": Numbers(1)}

    def stored(self):
        return self.features()


def test_a_second_of_sound_is_one_short_text():
    assert Sounds().texts({"inputs": np.zeros(8000), "targets": [2.5]}) == {
        "inputs": "<1.00 s of sound>",
        "targets": "2.5",
    }


def test_a_batch_is_decoded_to_a_list():
    class Lines(Problem):
        def features(self):
            return {"inputs": Text(258), "targets": {"kind": Label(2), "tags": Tags(2)}}

        def vocabularies(self):
            return {"inputs": Bytes(), "targets.kind": SimpleNamespace(names=["order", "question"])}

    ids = np.array([[*Bytes().encode("ab"), 1], [*Bytes().encode("c"), 1, 0]])
    problem = Lines()
    assert problem.decode("inputs", ids) == ["ab", "c"] and problem.decode("inputs", ids[0]) == "ab"
    assert problem.decode("inputs", ids[:, None]) == [["ab"], ["c"]]
    assert problem.decode("inputs", [list(one) for one in ids]) == ["ab", "c"]
    assert problem.decode("targets.kind", np.array([1, 0])) == ["question", "order"]
    assert problem.decode("targets.kind", np.array(1)) == "question"
    values = {"kind": np.array([0]), "tags": np.array([[1, 2, 0]])}
    assert problem.decode("targets", values) == {"kind": ["order"], "tags": [["1", "2"]]}
