"""A problem of any kind: batches, samples, references, scores."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from kt2t.data.problem import Problem
from kt2t.errors import DataError
from kt2t.features import END, Label, Tags, Text
from kt2t.registry import build, describe, register


@register
class Parity(Problem):
    """A row of 4 and 5; the label says whether there are an odd number of 5."""

    def examples(self, split):
        chance = np.random.default_rng(len(split))
        for _ in range(40):
            row = chance.integers(4, 6, chance.integers(1, 9))
            yield {"inputs": row, "targets": int((row == 5).sum() % 2)}

    def encode(self, example):
        return {"inputs": np.append(example["inputs"], END), "targets": np.array(example["targets"])}

    def features(self):
        return {"inputs": Text(6), "targets": Label(2)}


@register
class Doubled(Parity):
    """Tags each number with 1 or 2."""

    def examples(self, split):
        for example in super().examples(split):
            yield {"inputs": example["inputs"], "targets": example["inputs"] - 3}

    def encode(self, example):
        return {field: np.asarray(values) for field, values in example.items()}

    def features(self):
        return {"inputs": Text(6), "targets": Tags(2)}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path))


def test_labels():
    features, targets, weight = Parity().batches("train", rows=8).batch(0)
    assert set(features) == {"inputs", "inputs_segments"}
    assert targets.shape == weight.shape == (8,)
    assert (((features["inputs"] == 5).sum(1) % 2) == targets).all()


def test_tags_share_the_segments_of_the_inputs():
    features, targets, weight = Doubled().batches("train", rows=8).batch(0)
    assert set(features) == {"inputs", "inputs_segments"}
    assert (targets == np.where(features["inputs"], features["inputs"] - 3, 0)).all()
    assert (weight == features["inputs_segments"]).all()


def test_a_sample_is_in_the_order_of_the_records():
    sample = Parity().sample(3, offset=2)
    expected = list(Parity().examples("validation"))[2:5]
    assert sample["targets"].tolist() == [example["targets"] for example in expected]
    assert sample["inputs_segments"].sum(1).tolist() == [len(example["inputs"]) + 1 for example in expected]


def test_references_are_text_as_decoded():
    first = next(iter(Parity().examples("validation")))
    found = Parity().references("validation")
    assert found[0] == {
        "inputs": " ".join(map(str, [*first["inputs"], END])),
        "targets": str(first["targets"]),
    }


def test_score_compares_with_texts_or_references():
    problem = Parity()
    assert problem.score(["1", "0"], ["1", "1"]) == problem.score(["1", "0"], [{"targets": "1"}] * 2)
    with pytest.raises(ValueError, match="1 predictions for 2 references"):
        problem.score(["1"], ["1", "0"])


def test_show_tells_what_was_asked_and_answered():
    sample = {"inputs": np.array([[4, 5, 1]]), "targets": np.array([1])}
    shown = Parity().show({"ids": np.array([[[1]]])}, sample)
    assert shown.split("\n") == ["    inputs: 4 5 1", "   targets: 1", " predicted: 1"]


def test_too_long_ones_are_said(caplog):
    caplog.set_level(logging.WARNING, "kt2t")
    batches = Parity(max_length=5).batches("train", rows=8)
    assert (
        batches.plan.dropped and f"Parity train: {batches.plan.dropped} of 40 examples are longer than 5" in caplog.text
    )
    with pytest.raises(DataError, match="all 40 examples are longer than 1 tokens"):
        Parity().batches("train", rows=8, max_length=1)
    assert Parity(max_length=5).sample(40)["inputs"].shape[1] == 5


def test_each_field_may_have_its_own_limit(caplog):
    caplog.set_level(logging.WARNING, "kt2t")
    problem = Parity(max_length={"inputs": 5})
    assert problem.batches("train", rows=8).plan.dropped == Parity(max_length=5).batches("train", rows=8).plan.dropped > 0
    assert "are longer than 5 tokens and are left out" in caplog.text
    assert problem.sample(40)["inputs"].shape[1] == 5
    with pytest.raises(ValueError, match=r"problem\.max_length: 'input' is not a field with a length. Did you mean 'inputs'"):
        Parity(max_length={"input": 5}).batches("train")
    with pytest.raises(ValueError, match=r"problem\.max_length: 'targets' .* Label\(num_classes=2\) has no length"):
        Parity().batches("train", max_length={"targets": 5})
    with pytest.raises(ValueError, match=r"max_length\.inputs: 0 is not positive"):
        Parity(max_length={"inputs": 0})
    node = {"type": "ParallelText", "train_files": "x.tsv", "max_length": {"inputs": 9, "targets": 7}}
    assert describe(build(node, "problem")) == node


def test_tags_are_limited_with_their_inputs():
    batches = Doubled(max_length={"targets": 5}).batches("validation", rows=8)
    for features, targets, _ in batches:
        assert targets.shape == features["inputs"].shape and targets.shape[1] <= 5


def test_unknown_options_and_splits_of_batches():
    with pytest.raises(TypeError, match="token"):
        Parity().batches("train", token=100)
    with pytest.raises(DataError, match="'test' is not a split of .* There are: train, validation"):
        Parity().batches("test")


def test_loss_metrics_and_a_missing_split():
    assert type(Parity().loss()).__name__ == "CrossEntropy"
    assert type(Parity(loss={"type": "CrossEntropy", "label_smoothing": 0.1}).loss()).__name__ == "CrossEntropy"
    assert [metric.name for metric in Parity().metrics()] == ["accuracy", "perplexity"]
    assert [metric.name for metric in Doubled().metrics()] == ["token_accuracy", "sequence_accuracy", "perplexity"]
    with pytest.raises(DataError, match="'test' is not a split"):
        Parity().batches("test")


def test_what_a_subclass_must_say():
    with pytest.raises(NotImplementedError, match="Problem must define features"):
        Problem().features()
