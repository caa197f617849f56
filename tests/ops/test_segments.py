"""Shifting right within segments."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.ops.segments import shift_right, starts

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


def test_ids_stay_ids():
    shifted = shift_right(np.array([[5, 6, 7]], "int32"), np.array([[1, 1, 1]], "int32"))
    assert "int32" in str(shifted.dtype)
    np.testing.assert_array_equal(ops.convert_to_numpy(shifted), [[0, 5, 6]])


def test_without_segments_a_row_is_one(golden):
    z = golden("layer_shift_right")
    np.testing.assert_array_equal(ops.convert_to_numpy(shift_right(z["in/x"])), z["out/y"])


def test_starts_marks_the_first_of_every_run():
    np.testing.assert_array_equal(ops.convert_to_numpy(starts(SEGMENTS)), [[1, 0, 0, 1, 0, 1], [1, 1, 0, 1, 1, 0]])
