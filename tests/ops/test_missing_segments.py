"""Where segments are missing, the ids show what is padding."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
from keras import ops

from kt2t.features import Audio, Image, Label, MultiLabel, Numbers, Tags, Text
from kt2t.ops.missing_segments import ids_show_padding, say_so, with_segments

IDS = np.array([[3, 2, 1, 0], [4, 1, 0, 0]], "int32")
REAL = (IDS > 0).astype("int32")


def found(batch, features, targets=None):
    completed = with_segments(batch, features, targets)
    return {name: np.asarray(ops.convert_to_numpy(value)) for name, value in completed.items() if name not in batch}


def test_only_fields_without_a_real_id_0_show_their_padding():
    assert ids_show_padding(Text(5)) and ids_show_padding(Tags(5))
    others = (Label(5), Image(2, 2), Audio(), Numbers(4), MultiLabel(4), {"tags": Tags(5)}, None)
    assert not any(map(ids_show_padding, others))


def test_missing_segments_are_those_of_the_ids():
    missing = found({"inputs": IDS, "targets": IDS[:, 1:]}, {"inputs": Text(5), "targets": Text(5)})
    assert sorted(missing) == ["inputs_segments", "targets_segments"]
    np.testing.assert_array_equal(missing["inputs_segments"], REAL)
    np.testing.assert_array_equal(missing["targets_segments"], REAL[:, 1:])
    assert missing["inputs_segments"].dtype == np.int32


def test_segments_that_are_given_stay():
    batch = {"inputs": IDS, "inputs_segments": np.ones_like(IDS)}
    assert with_segments(batch, {"inputs": Text(5), "targets": Label(3)}) is batch


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (Audio(), np.zeros((2, 640), "float32")),
        (Image(2, 2), np.zeros((2, 2, 2, 3), "uint8")),
        (Numbers(4), np.zeros((2, 4), "float32")),
        (Label(4), np.zeros(2, "int32")),
    ],
)
def test_where_0_is_a_legal_value_there_is_no_padding_to_find(feature, value):
    batch = {"inputs": value}
    assert with_segments(batch, {"inputs": feature, "targets": Label(3)}) is batch


def test_targets_that_the_model_does_not_read_have_segments_too():
    features = {"inputs": Text(5), "targets": {"tags": Tags(4), "title": Text(5), "label": Label(3)}}
    missing = found({"inputs": IDS}, features, {"tags": IDS, "title": IDS[:, :3], "label": IDS[:, 0]})
    assert sorted(missing) == ["inputs_segments", "targets.title_segments"]  # tags share those of the inputs
    np.testing.assert_array_equal(missing["targets.title_segments"], REAL[:, :3])


def test_what_is_no_dict_of_fields_stays_as_it_is():
    assert with_segments(IDS, {"inputs": Text(5)}) is IDS
    assert with_segments([IDS, IDS], {"inputs": Text(5)}, IDS)[0] is IDS


def test_it_is_said_once_in_a_process(caplog):
    say_so.cache_clear()
    with caplog.at_level(logging.WARNING, "kt2t"):
        for _ in range(3):
            with_segments({"inputs": keras.ops.convert_to_tensor(IDS)}, {"inputs": Text(5)})
    assert [record.getMessage() for record in caplog.records] == [
        "A batch came without segments (such as 'inputs_segments'): id 0 is taken for padding. Give the segments, "
        "with 0 for padding, to say otherwise."
    ]
