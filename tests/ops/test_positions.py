"""Positions within segments, and the sinusoids of Tensor2Tensor and of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from keras import ops

from kt2t.ops.positions import grid_sinusoids, positions, positions_from_end, proximity, sinusoids


def test_positions_restart_at_each_segment():
    segments = np.array([[1, 1, 1, 2, 2, 0, 0], [1, 2, 3, 3, 3, 3, 3], [0, 0, 0, 0, 0, 0, 0]], "int32")
    counted = ops.convert_to_numpy(positions(segments))
    np.testing.assert_array_equal(counted, [[0, 1, 2, 0, 1, 0, 1], [0, 0, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 6]])
    assert counted.dtype == np.int32


def test_positions_from_the_end_of_each_segment():
    segments = np.array([[1, 1, 1, 2, 2, 0, 0], [1, 2, 3, 3, 3, 3, 3]], "int32")
    counted = ops.convert_to_numpy(positions_from_end(segments))
    np.testing.assert_array_equal(counted, [[2, 1, 0, 1, 0, 1, 0], [0, 0, 4, 3, 2, 1, 0]])
    assert counted.dtype == np.int32


@pytest.mark.parametrize(
    ("name", "index", "dim", "scales"),
    [
        ("y", range(13), 16, (1.0, 1e4)),
        ("odd_channels", range(7), 9, (1.0, 1e4)),
        ("start_index", range(5, 11), 8, (1.0, 1e4)),
        ("tiny_channels_2", range(5), 2, (1.0, 1e4)),
        ("custom_scales", range(6), 10, (2.0, 500.0)),
    ],
)
def test_concatenated_sinusoids_are_tensor2tensors(golden, name, index, dim, scales):
    signal = sinusoids(np.array([list(index)]), dim, "concatenated", *scales)
    np.testing.assert_allclose(ops.convert_to_numpy(signal), golden("layer_timing_signals")[f"out/{name}"], atol=2e-6)


def test_given_positions_are_looked_up_one_by_one(golden):
    index = np.array([[0, 1, 2, 0], [3, 5, 0, 1]])
    expected = golden("layer_timing_signals")["out/given_position"]
    np.testing.assert_allclose(ops.convert_to_numpy(sinusoids(index, 10)), expected, atol=2e-6)


@pytest.mark.parametrize(("field", "name"), [("x2", "nd2"), ("x3", "nd3")])
def test_a_grid_gives_every_axis_its_own_channels(golden, field, name):
    z = golden("layer_timing_signals")
    *lengths, dim = z[f"in/{field}"].shape[1:]
    signal = ops.convert_to_numpy(grid_sinusoids(tuple(lengths), dim))
    difference = np.minimum(
        np.abs(signal - z[f"out/{name}"]).max(), np.abs(z[f"in/{field}"] + signal - z[f"out/{name}"]).max()
    )
    assert difference < 2e-6


def test_interleaved_sinusoids_are_the_papers():
    signal = ops.convert_to_numpy(sinusoids(np.arange(7), 6, "interleaved"))
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert signal[position, 2 * pair] == pytest.approx(math.sin(angle), abs=2e-6)
            assert signal[position, 2 * pair + 1] == pytest.approx(math.cos(angle), abs=2e-6)


@pytest.mark.parametrize(("queries", "keys", "offset"), [(4, None, 0), (2, 6, 3)])
def test_what_is_near_is_preferred(queries, keys, offset):
    found = ops.convert_to_numpy(proximity(queries, keys, offset))
    assert found.shape == (1, queries, keys or queries)
    for query in range(queries):
        for key in range(keys or queries):
            assert found[0, query, key] == pytest.approx(-math.log(1 + abs(query + offset - key)), abs=1e-6)


def test_every_segment_is_turned_around_and_padding_stays():
    from kt2t.ops.positions import reversal

    segments = np.array([[1, 1, 1, 2, 2, 0], [1, 0, 0, 0, 0, 0]], "int32")
    assert ops.convert_to_numpy(reversal(segments)).tolist() == [[2, 1, 0, 4, 3, 5], [0, 1, 2, 3, 4, 5]]
