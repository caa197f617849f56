"""Encoded examples are checked against their features."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.checks import checked_columns
from kt2t.errors import DataError
from kt2t.features import Audio, Label, Tags, Text

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
    with pytest.raises(DataError, match="x 0: 1 tags in targets for 2 inputs"):
        checked_columns([{"inputs": [3, 1], "targets": [1]}], {"inputs": Text(9), "targets": Tags(3)}, "x")
    with pytest.raises(DataError, match="x 1, targets: a value is not finite"):
        checked_columns([{"targets": [0.5]}, {"targets": [np.nan]}], {"targets": Audio()}, "x")
