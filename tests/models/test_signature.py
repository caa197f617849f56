"""What a model is called with follows from its features."""

from __future__ import annotations

import numpy as np
from keras import ops

from kt2t.features import Audio, Image, Label, Tags, Text
from kt2t.models.signature import one_row, signature

TEXT = {"inputs": Text(12), "targets": Text(12), "target_space": Label(3)}
SOUND = {"inputs": Audio(), "targets": {"label": Label(3), "text": Text(5)}}


def plain(specs):
    return {name: (spec.shape, spec.dtype) for name, spec in specs.items()}


def test_ids_are_integers_and_their_segments_need_not_be_given():
    ids = ((None, None), "int32")
    assert plain(signature(TEXT, False)) == {"inputs": ids, "targets": ids, "target_space": ((None,), "int32")}
    assert plain(signature(TEXT, True)) == {
        **plain(signature(TEXT, False)),
        "inputs_segments": ids,
        "targets_segments": ids,
    }


def test_what_is_only_predicted_is_not_read():
    assert plain(signature({"inputs": Image(4, 6), "targets": Label(3)}, True)) == {
        "inputs": ((None, 4, 6, 3), "uint8")
    }
    assert sorted(signature({"inputs": Text(5), "targets": Tags(3)}, True)) == ["inputs", "inputs_segments"]


def test_recordings_come_with_their_segments():
    for segments in (False, True):
        assert plain(signature(SOUND, segments)) == {
            "inputs": ((None, None), "float32"),
            "inputs_segments": ((None, None), "int32"),
        }


def test_one_row_has_two_positions_of_every_field():
    row = {name: np.asarray(ops.convert_to_numpy(value)) for name, value in one_row(SOUND).items()}
    assert {name: (value.shape, value.dtype.name) for name, value in row.items()} == {
        "inputs": ((1, 1280), "float32"),
        "inputs_segments": ((1, 1280), "int32"),
    }
    assert one_row(TEXT)["inputs"].shape == (1, 2)
