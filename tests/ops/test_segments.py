"""Shifting within segments, and what else they tell."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.features import Label, Tags, Text
from kt2t.ops.segments import of_targets, shift_left, shift_right, showing, showing_target, shown, starts, sums

SEGMENTS = np.array([[1, 1, 1, 2, 2, 0], [1, 2, 2, 3, 0, 0]], "int32")


def shifted_by_loop(x, segments):
    out = np.zeros_like(x)
    for row in range(x.shape[0]):
        for t in range(1, x.shape[1]):
            if segments[row, t] == segments[row, t - 1]:
                out[row, t] = x[row, t - 1]
    return out


@pytest.mark.parametrize("rest", [(), (3,)])
def test_every_segment_starts_with_zeros(rest):
    x = np.random.default_rng(0).integers(1, 9, size=(2, 6, *rest)).astype("float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(shift_right(x, SEGMENTS)), shifted_by_loop(x, SEGMENTS))


@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_to_the_left_every_segment_ends_with_zeros(segments):
    x = np.random.default_rng(2).integers(1, 9, size=(2, 6, 3)).astype("float32")
    known = np.ones((2, 6)) if segments is None else segments
    wanted = shifted_by_loop(x[:, ::-1], known[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(ops.convert_to_numpy(shift_left(x, segments)), wanted)


def test_ids_stay_ids():
    shifted = shift_right(np.array([[5, 6, 7]], "int32"), np.array([[1, 1, 1]], "int32"))
    assert "int32" in str(shifted.dtype)
    np.testing.assert_array_equal(ops.convert_to_numpy(shifted), [[0, 5, 6]])


def test_without_segments_a_row_is_one():
    x = np.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(shift_right(x)), shifted_by_loop(x, np.ones((2, 3))))


@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_another_start_stands_where_zeros_would(segments):
    x = np.random.default_rng(1).integers(1, 9, size=(2, 6, 3)).astype("float32")
    first = -np.ones((1, 1, 3), "float32")
    wanted = shifted_by_loop(x, np.ones((2, 6)) if segments is None else segments)
    wanted = np.where(wanted == 0, first, wanted)
    np.testing.assert_array_equal(ops.convert_to_numpy(shift_right(x, segments, first)), wanted)


def test_starts_marks_the_first_of_every_run():
    np.testing.assert_array_equal(ops.convert_to_numpy(starts(SEGMENTS)), [[1, 0, 0, 1, 0, 1], [1, 1, 0, 1, 1, 0]])


def test_sums_by_run():
    x = np.array([[1, 2, 3, 4, 5, 6], [1, 0, 0, 2, 7, 7]], "float32")
    found = ops.convert_to_numpy(sums(x, SEGMENTS))
    np.testing.assert_array_equal(found, [[6, 9, 6, 0, 0, 0], [1, 0, 2, 14, 0, 0]])


def test_segments_are_shown_inside_only():
    assert shown() is None
    with showing(SEGMENTS):
        assert shown() is SEGMENTS
        with showing(None):
            assert shown() is None
        assert shown() is SEGMENTS
    assert shown() is None


def test_tags_share_the_segments_of_the_inputs():
    from kt2t.ops.segments import of_targets

    assert of_targets({"inputs": 0, "inputs_segments": 1}) == 1
    assert of_targets({"inputs": 0, "inputs_segments": 1, "targets_segments": 2}) == 2
    assert of_targets({"inputs": 0}) is None and of_targets(3) is None


def test_where_segments_end():
    from kt2t.ops.segments import last_positions

    segments = np.array([[1, 1, 2, 0, 0, 0], [1, 2, 2, 2, 3, 3]], "int32")
    found = ops.convert_to_numpy(last_positions(segments))
    assert found[:, 1:4].tolist() == [[1, 2, 0], [0, 3, 5]]


def test_targets_have_the_segments_that_their_features_name():
    targets = {"tags": Tags(3), "label": Label(2), "title": Text(9)}
    batch = {"inputs": 0, "inputs_segments": "inputs'", "targets.title_segments": "title's"}
    assert of_targets(batch, targets) == {"tags": "inputs'", "label": None, "title": "title's"}
    assert of_targets(batch, Tags(3)) == "inputs'" and of_targets(batch, Label(2)) is None
    assert of_targets({**batch, "targets_segments": "targets'"}, Text(9)) == "targets'"
    assert of_targets(batch) == "inputs'" and of_targets({**batch, "targets_segments": 1}) == 1
    assert of_targets(np.ones(3)) is None and of_targets(np.ones(3), Tags(3)) is None


def test_one_of_several_targets_is_shown():
    with showing({"a": SEGMENTS, "b": None}):
        assert shown() is None
        with showing_target("a"):
            assert shown() is SEGMENTS
        with showing_target("b"):
            assert shown() is None
    with showing(SEGMENTS), showing_target("anything"):
        assert shown() is SEGMENTS


def test_maxima_by_run():
    from kt2t.ops.segments import maxima

    x = np.random.default_rng(2).normal(size=(2, 6, 3)).astype("float32")
    found = ops.convert_to_numpy(maxima(x, SEGMENTS))
    for row, runs in enumerate(([(0, 3), (3, 5), (5, 6)], [(0, 1), (1, 3), (3, 4), (4, 6)])):
        for start, end in runs:
            wanted = np.tile(x[row, start:end].max(axis=0), (end - start, 1))
            np.testing.assert_array_equal(found[row, start:end], wanted)


def test_where_segments_begin():
    from kt2t.ops.segments import first_positions

    segments = np.array([[1, 1, 2, 0, 0, 0], [1, 2, 2, 2, 3, 3]], "int32")
    found = ops.convert_to_numpy(first_positions(segments))
    assert found[:, 1:4].tolist() == [[0, 2, 5], [0, 1, 4]]


def test_padding_moves_to_the_front():
    from kt2t.ops.segments import padding_in_front

    segments = np.array([[1, 1, 2, 0, 0, 0], [1, 2, 2, 2, 3, 3]], "int32")
    x = np.arange(12.0, dtype="float32").reshape(2, 6, 1)
    found, ids = (ops.convert_to_numpy(one) for one in padding_in_front(x, segments))
    assert found[..., 0].tolist() == [[3, 4, 5, 0, 1, 2], [6, 7, 8, 9, 10, 11]]
    assert ids.tolist() == [[0, 0, 0, 1, 1, 2], [1, 2, 2, 2, 3, 3]]
