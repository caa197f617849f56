"""Encoded examples are checked against their features."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.checks import checked_columns
from kt2t.errors import DataError
from kt2t.features import Audio, Encoded, Image, Label, MultiLabel, Numbers, Tags, Text

TEXT = {"inputs": Text(10), "targets": Text(10)}


def good():
    return {"inputs": np.array([3, 1]), "targets": [4, 1]}


def test_gives_the_dtype_of_the_feature():
    found = checked_columns([good(), {"inputs": np.array([2], np.int32), "targets": np.array([], np.int32)}], TEXT, "x")
    assert {array.dtype for column in found.values() for array in column} == {np.dtype(np.int32)}
    assert {field: [array.tolist() for array in column] for field, column in found.items()} == {
        "inputs": [[3, 1], [2]],
        "targets": [[4, 1], []],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.array([10, 1])}, r"train example 8, inputs: 10 is outside 1 to 9"),
        ({"inputs": np.array([0, 1])}, r"train example 8, inputs: 0 is outside 1 to 9"),
        ({"inputs": np.array([-3, 1])}, r"train example 8, inputs: -3 is outside"),
        ({"inputs": np.array([0.5])}, r"train example 8, inputs: float64 where"),
        ({"inputs": np.array(["a"])}, r"train example 8, inputs: <U1 where"),
        ({"inputs": np.array([[1]])}, r"train example 8, inputs: shape \(1, 1\)"),
        ({"inputs": np.array([2**40])}, r"does not fit into int32"),
        ({"more": np.array([1])}, r"train example 8 has the fields \['inputs', 'more', 'targets'\]"),
    ],
)
def test_names_example_and_field(change, message):
    with pytest.raises(DataError, match=message):
        checked_columns([good(), {**good(), **change}], TEXT, "train example", first=7)


def test_a_missing_field_is_named():
    with pytest.raises(DataError, match=r"has the fields \['targets'\]; its features are \['inputs', 'targets'\]"):
        checked_columns([{"targets": [1]}], TEXT, "train example")


def test_labels_tags_and_sound():
    assert checked_columns([{"targets": 2}], {"targets": Label(3)}, "x")["targets"][0].shape == ()
    with pytest.raises(DataError, match="3 is outside 0 to 2"):
        checked_columns([{"targets": 3}], {"targets": Label(3)}, "x")
    with pytest.raises(DataError, match="x 0: targets has 1 values for the 2 of inputs"):
        checked_columns([{"inputs": [3, 1], "targets": [1]}], {"inputs": Text(9), "targets": Tags(3)}, "x")
    with pytest.raises(DataError, match="x 1, targets: a value is not finite"):
        checked_columns([{"targets": [0.5]}, {"targets": [np.nan]}], {"targets": Audio()}, "x")


def test_pictures_numbers_and_several_labels():
    pixels = np.full((2, 3, 1), 255, np.uint8)
    assert checked_columns([{"targets": pixels}], {"targets": Image(2, 3, 1)}, "x")["targets"][0] is pixels
    with pytest.raises(DataError, match=r"x 0, targets: shape \(3, 2, 1\) where Image"):
        checked_columns([{"targets": pixels.reshape(3, 2, 1)}], {"targets": Image(2, 3, 1)}, "x")
    with pytest.raises(DataError, match="x 0, targets: 300 to 300 does not fit into uint8"):
        checked_columns([{"targets": np.full((2, 3, 1), 300)}], {"targets": Image(2, 3, 1)}, "x")
    with pytest.raises(DataError, match="x 0, targets: 2.0 is outside 0 to 1 of MultiLabel"):
        checked_columns([{"targets": [0.0, 2.0]}], {"targets": MultiLabel(2)}, "x")
    with pytest.raises(DataError, match="x 1, targets: nan is outside 0 to 1 of MultiLabel"):
        checked_columns([{"targets": [0.0, 1.0]}, {"targets": [0.0, np.nan]}], {"targets": MultiLabel(2)}, "x")
    with pytest.raises(DataError, match="x 0, targets: a value is not finite"):
        checked_columns([{"targets": [np.inf]}], {"targets": Numbers(1)}, "x")


TWO = {"inputs": Text(9), "targets": {"tags": Tags(3), "label": Label(2)}}
FLAT = {"inputs": Text(9), "targets.tags": Tags(3), "targets.label": Label(2)}


@pytest.mark.parametrize("features", [TWO, FLAT], ids=["nested", "flat"])
def test_a_dict_of_targets_becomes_flat_columns(features):
    nested = {"inputs": [3, 1], "targets": {"tags": [2, 3], "label": 1}}
    spread = {"inputs": [4], "targets.tags": [1], "targets.label": 0}
    found = checked_columns([nested, spread], features, "x")
    assert {field: [array.tolist() for array in column] for field, column in found.items()} == {
        "inputs": [[3, 1], [4]],
        "targets.tags": [[2, 3], [1]],
        "targets.label": [1, 0],
    }
    with pytest.raises(DataError, match="x 5: targets.tags has 3 values for the 2 of inputs"):
        checked_columns([{**nested, "targets": {"tags": [2, 3, 1], "label": 1}}], features, "x", first=5)
    with pytest.raises(DataError, match="x 0, targets.label: 2 is outside 0 to 1"):
        checked_columns([{**nested, "targets": {"tags": [2, 3], "label": 2}}], features, "x")
    with pytest.raises(DataError, match=r"x 0 has the fields \['inputs', 'targets.tags'\]"):
        checked_columns([{**nested, "targets": {"tags": [2, 3]}}], features, "x")


def test_tags_need_the_field_whose_positions_they_share():
    with pytest.raises(DataError, match=r"targets needs the field 'inputs', whose positions it shares"):
        checked_columns([{"targets": [1]}], {"targets": Tags(3)}, "x")
    stored = {"inputs": Encoded(), "targets": Tags(3)}
    column = checked_columns([{"inputs": np.zeros(70, np.uint8), "targets": [1, 2]}], stored, "x")["targets"]
    assert column[0].tolist() == [1, 2]


def test_a_new_kind_of_feature_brings_its_own_limits():
    class Dice(Label):
        limits = (1, 6)

    assert checked_columns([{"targets": 6}], {"targets": Dice(6)}, "x")["targets"][0] == 6
    with pytest.raises(DataError, match="0 is outside 1 to 6"):
        checked_columns([{"targets": 0}], {"targets": Dice(6)}, "x")
