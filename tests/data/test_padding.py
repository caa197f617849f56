"""Padding: arrays, segments and weights of a batch, for every kind of field."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.padding import collate, fed
from kt2t.features import Audio, Image, Label, MultiLabel, Tags, Text


def test_collate_pads_segments_and_weighs():
    rows = [{"inputs": np.array([5, 1]), "targets": np.array([7, 8, 1])}, None]
    features, targets, weight = collate(rows, {"inputs": Text(9), "targets": Text(9)}, {"inputs": 3, "targets": 4})
    assert features["inputs"].tolist() == [[5, 1, 0], [0, 0, 0]]
    assert features["inputs_segments"].tolist() == [[1, 1, 0], [0, 0, 0]]
    assert targets.tolist() == features["targets"].tolist() == [[7, 8, 1, 0], [0] * 4]
    assert weight.tolist() == features["targets_segments"].tolist() == [[1, 1, 1, 0], [0] * 4]
    assert weight.dtype == np.float32 and targets.dtype == np.int32


def test_collate_of_packed_rows():
    one, other = {"inputs": [5, 1], "targets": [7, 8, 1]}, {"inputs": [6, 6, 1], "targets": [9, 1], "prompt_length": 1}
    one, other = ({field: np.array(ids) for field, ids in row.items()} for row in (one, other))
    fields = {"inputs": Text(10), "targets": Text(10)}
    features, targets, weight = collate([[one, other], [], [other]], fields, {"inputs": 6, "targets": 6})
    assert features["inputs"].tolist() == [[5, 1, 6, 6, 1, 0], [0] * 6, [6, 6, 1, 0, 0, 0]]
    assert features["inputs_segments"].tolist() == [[1, 1, 2, 2, 2, 0], [0] * 6, [1, 1, 1, 0, 0, 0]]
    assert targets.tolist() == features["targets"].tolist() == [[7, 8, 1, 9, 1, 0], [0] * 6, [9, 1, 0, 0, 0, 0]]
    assert features["targets_segments"].tolist() == [[1, 1, 1, 2, 2, 0], [0] * 6, [1, 1, 0, 0, 0, 0]]
    assert weight.tolist() == [[1, 1, 1, 0, 1, 0], [0] * 6, [0, 1, 0, 0, 0, 0]]
    assert collate([[one, other]], fields)[1].shape == (1, 5)


def test_collate_of_labels_tags_and_pictures():
    rows = [{"inputs": np.ones((2, 2, 3)), "targets": np.array(3)}, None]
    features, targets, weight = collate(rows, {"inputs": Image(2, 2), "targets": Label(5)})
    assert features["inputs"].shape == (2, 2, 2, 3) and list(features) == ["inputs"]
    assert targets.tolist() == [3, 0] and weight.tolist() == [1, 0]
    rows = [{"inputs": np.array([5, 6, 7]), "targets": np.array([1, 2, 1])}]
    features, targets, weight = collate(rows, {"inputs": Text(9), "targets": Tags(2)}, max_length=2)
    assert targets.tolist() == [[1, 2]] and weight.tolist() == [[1, 1]] and "targets" not in features


def test_prompts_weigh_nothing_also_in_a_packed_row():
    rows = [
        {"targets": np.array([7, 8, 9]), "prompt_length": np.int32(2)},
        [
            {"targets": np.array([5, 6]), "prompt_length": np.int32(1)},
            {"targets": np.array([3, 4]), "prompt_length": np.int32(0)},
        ],
        None,
    ]
    features, targets, weight = collate(rows, {"targets": Text(10)}, {"targets": 5})
    assert weight.tolist() == [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0] * 5]
    assert targets.tolist() == [[7, 8, 9, 0, 0], [5, 6, 3, 4, 0], [0] * 5]
    assert set(features) == {"targets", "targets_segments"}, "a model never sees it"


TAGGED = {"inputs": Text(9), "targets": {"tags": Tags(2), "topic": Label(3)}}


def test_a_dict_of_targets_has_a_dict_of_weights():
    rows = [
        {"inputs": np.array([5, 6, 7]), "targets": {"tags": np.array([1, 2, 1]), "topic": np.array(2)}},
        None,
        {"inputs": np.array([8]), "targets.tags": np.array([2]), "targets.topic": np.array(1)},
    ]
    features, targets, weights = collate(rows, TAGGED)
    assert list(features) == ["inputs", "inputs_segments"]
    assert features["inputs_segments"].tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert targets["tags"].tolist() == [[1, 2, 1], [0, 0, 0], [2, 0, 0]] and targets["topic"].tolist() == [2, 0, 1]
    assert weights["tags"].tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]] and weights["topic"].tolist() == [1, 0, 1]
    assert {kind.dtype for kind in weights.values()} == {np.dtype("float32")} and fed(TAGGED) == ["inputs"]


def test_tags_are_as_wide_as_the_inputs_and_weighed_by_their_segments():
    features = {"targets": {"tags": Tags(2)}, "inputs": Text(9)}
    one, other = ({"inputs": np.arange(2, 2 + n), "targets.tags": np.full(n, 2)} for n in (4, 2))
    read, targets, weights = collate([[one, other], [other]], features, {"inputs": 7})
    assert read["inputs_segments"].tolist() == [[1, 1, 1, 1, 2, 2, 0], [1, 1, 0, 0, 0, 0, 0]]
    assert (weights["tags"] == (read["inputs_segments"] > 0)).all()
    assert targets["tags"].tolist() == [[2] * 6 + [0], [2, 2] + [0] * 5]
    assert collate([one], features, max_length={"inputs": 3})[1]["tags"].tolist() == [[2, 2, 2]]
    assert collate([one], features, max_length={"targets": 3})[0]["inputs"].tolist() == [[2, 3, 4]]


def test_sound_is_padded_to_whole_positions():
    sound = Audio(rate=1000, milliseconds=10)  # 10 samples make a position
    rows = [{"inputs": np.ones(21, np.float32), "targets": np.array(1)}, {"inputs": np.ones(9, np.float32), "targets": 0}]
    features, _, _ = collate(rows, {"inputs": sound, "targets": Label(2)})
    assert features["inputs"].shape == (2, 30) and features["inputs_segments"].sum(1).tolist() == [21, 9]
    features, _, _ = collate(rows, {"inputs": sound, "targets": Label(2)}, max_length=2)
    assert features["inputs"].shape == (2, 20) and features["inputs_segments"].sum(1).tolist() == [20, 9]
    features, _, _ = collate(rows, {"inputs": sound, "targets": Label(2)}, {"inputs": 4})
    assert features["inputs"].shape == (2, 40)


def test_tags_of_positions_of_sound():
    sound = Audio(rate=1000, milliseconds=10)
    rows = [{"inputs": np.ones(21, np.float32), "targets": np.array([1, 2, 1])}, None]
    features, targets, weight = collate(rows, {"inputs": sound, "targets": Tags(2)}, {"inputs": 4})
    assert targets.tolist() == [[1, 2, 1, 0], [0] * 4] and weight.tolist() == [[1, 1, 1, 0], [0] * 4]


@pytest.mark.parametrize("max_length", [3, {"inputs": 3}, {"inputs": 3, "targets": 2}])
def test_each_field_has_its_own_limit(max_length):
    row = {"inputs": np.arange(2, 8), "targets": np.arange(2, 7)}
    features, targets, _ = collate([row], {"inputs": Text(9), "targets": Text(9)}, max_length=max_length)
    limits = max_length if isinstance(max_length, dict) else {"inputs": 3, "targets": 3}
    assert features["inputs"].shape[1] == 3 and targets.shape[1] == limits.get("targets", 5)


def test_a_dict_of_one_target():
    features, targets, weights = collate([{"targets": {"topic": np.array(2)}}], {"targets": {"topic": Label(3)}})
    assert (features, targets["topic"].tolist(), weights["topic"].tolist()) == ({}, [2], [1])


def test_several_labels():
    rows = [{"inputs": np.array([5]), "targets": np.array([0, 1, 1])}, None]
    _, targets, weight = collate(rows, {"inputs": Text(9), "targets": MultiLabel(3)})
    assert targets.tolist() == [[0, 1, 1], [0, 0, 0]] and weight.tolist() == [1, 0]
