"""Transforms of records: draws, decoding, checks, and errors that name the record."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from kt2t.data.draw import Draw
from kt2t.data.problem import Problem
from kt2t.data.transform import Transform
from kt2t.errors import DataError, ResourceError
from kt2t.features import Encoded, Image, Label, Tags, Text
from kt2t.registry import register


@register
class Pictures(Problem):
    """Pictures of one grey level each, stored deflated and drawn brighter in training; the label is the level."""

    def __init__(self, count: int = 60, fault: str = "") -> None:
        super().__init__()
        self.count = count
        self.fault = fault

    def examples(self, split):
        for number in range(self.count):
            yield {"inputs": zlib.compress(bytes([number % 5]) * (40 + number)), "targets": number % 5}

    def encode(self, example):
        return {"inputs": np.frombuffer(example["inputs"], np.uint8), "targets": np.array(example["targets"])}

    def stored(self):
        return {"inputs": Encoded(), "targets": Label(5)}

    def features(self):
        return {"inputs": Image(2, 3, 1), "targets": Label(5)}

    def transform(self, split, example, draw):
        level = zlib.decompress(example["inputs"].tobytes())[0]
        if self.fault and level == 3:
            return self.faulty(example)
        noise = 0 if draw is None else draw.generator().integers(10, 200, (2, 3, 1))
        return {"inputs": np.full((2, 3, 1), level, np.uint8) + np.uint8(noise), "targets": example["targets"]}

    def faulty(self, example):
        picture = np.zeros((2, 3, 1), np.uint8)
        if self.fault == "raises":
            raise KeyError("level")
        if self.fault == "refuses":
            raise DataError("this JPEG is cut short")
        if self.fault == "disk":
            raise ResourceError("no room")
        return {
            "no dict": None,
            "a field is missing": {"inputs": picture},
            "another shape": {**example, "inputs": picture[0]},
            "another type": {**example, "inputs": picture + 0.5},
            "too large": {**example, "inputs": picture + np.int64(256)},
            "out of range": {**example, "inputs": picture, "targets": np.array(5)},
        }[self.fault]


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path))


def test_it_decodes_and_draws_by_seed_epoch_and_record():
    problem = Pictures()
    records = problem.prepared.records("train")
    transform = Transform(problem, "train", 7)
    (one,) = transform(records, np.array([12]), 3)
    noise = np.random.default_rng([7, 3, 12]).integers(10, 200, (2, 3, 1))
    assert (one["inputs"] == 2 + noise).all() and one["inputs"].dtype == np.uint8 and int(one["targets"]) == 2
    together = transform(records, np.array([4, 12, 5]), 3)
    assert (together[1]["inputs"] == one["inputs"]).all(), "whatever is transformed with it"
    assert (transform(records, np.array([12]), 4)[0]["inputs"] != one["inputs"]).any()
    assert (Transform(problem, "train", 8)(records, np.array([12]), 3)[0]["inputs"] != one["inputs"]).any()
    assert (transform(records, np.array([12]), None)[0]["inputs"] == 2).all()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("raises", "KeyError: 'level'"),
        ("refuses", "this JPEG is cut short"),
        ("no dict", "TypeError: it returns None, not a dict of arrays"),
        ("a field is missing", "ValueError: there is no targets; it returns inputs"),
        ("another shape", r"inputs has shape \(3, 1\) where Image.* takes \(2, 3, 1\)"),
        ("another type", "inputs has type float64 where Image.* takes uint8"),
        ("too large", "inputs holds 256 to 256 where Image.* takes 0 to 255"),
        ("out of range", "targets holds 5 to 5 where Label.* takes 0 to 4"),
    ],
)
def test_what_goes_wrong_is_told_with_shard_record_and_problem(fault, told):
    problem = Pictures(fault=fault)
    transform = Transform(problem, "train", 0)
    records = problem.prepared.records("train")
    assert len(transform(records, np.array([0, 1, 2]), 0)) == 3
    where = r"train record 8 of '.*train-00000-of-00001\.arrayrecord': Pictures\.transform fails with "
    with pytest.raises(DataError, match=where + ".*" + told) as raised:
        transform(records, np.array([2, 8, 4]), 0)
    assert raised.value.status == 3


def test_what_the_machine_lacks_is_no_fault_of_the_data():
    problem = Pictures(fault="disk")
    with pytest.raises(ResourceError, match="^no room"):
        Transform(problem, "train", 0)(problem.prepared.records("train"), np.array([8]), 0)


@register
class Reversed(Problem):
    """Words with a dict of targets, which the transform reverses."""

    def __init__(self, short: bool = False) -> None:
        super().__init__()
        self.short = short

    def examples(self, split):
        return ({"inputs": [2, 3, 4], "tags": [1, 2, 1]} for _ in range(30))

    def encode(self, example):
        return {"inputs": np.array(example["inputs"]), "targets": {"tags": np.array(example["tags"]), "topic": np.array(1)}}

    def features(self):
        return {"inputs": Text(9), "targets": {"tags": Tags(2), "topic": Label(2)}}

    def transform(self, split, example, draw):
        tags = example["targets"]["tags"][1 if self.short else 0 :]
        return {"inputs": example["inputs"][::-1], "targets": {**example["targets"], "tags": tags}}


def test_a_dict_of_targets_is_a_dict_in_the_transform_too():
    problem = Reversed()
    (example,) = Transform(problem, "train", 0)(problem.prepared.records("train"), np.array([3]), 0)
    assert {field: value.tolist() for field, value in example.items()} == {
        "inputs": [4, 3, 2],
        "targets.tags": [1, 2, 1],
        "targets.topic": 1,
    }


def test_tags_that_are_fewer_than_their_positions_are_refused():
    problem = Reversed(short=True)
    with pytest.raises(DataError, match="targets.tags has 2 values for 3 positions of inputs"):
        Transform(problem, "train", 0)(problem.prepared.records("train"), np.array([3]), 0)


def test_a_draw_is_what_a_transform_is_given():
    asked = []
    problem = Pictures()
    problem.transform = lambda split, example, draw: asked.append((split, draw)) or Pictures.transform(
        problem, split, example, draw
    )
    Transform(problem, "validation", 5)(problem.prepared.records("validation"), np.array([0, 7]), 2)
    assert asked == [("validation", Draw(5, 2, 0)), ("validation", Draw(5, 2, 7))]
