"""Blocks and windows of a sequence, against loops."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.ops.windows import block_size, blocks, columns_of_distances, windows


@pytest.mark.parametrize("time", [1, 4, 7])
def test_blocks_are_cut_and_filled_up(time):
    x = np.arange(1, 2 * time + 1).reshape(2, time)
    found = numbers(blocks(x, 3, 1))
    assert found.shape == (2, -(-time // 3), 3)
    np.testing.assert_array_equal(found.reshape(2, -1)[:, :time], x)
    assert (found.reshape(2, -1)[:, time:] == 0).all()


@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 0), (1, 2)])
def test_a_window_has_the_blocks_around(before, after):
    x = np.arange(1, 15).reshape(1, 7, 2)
    found = numbers(windows(x, 3, before, after, 1))
    assert found.shape == (1, 3, (before + 1 + after) * 3, 2)
    for block in range(3):
        for column in range(found.shape[2]):
            place = (block - before) * 3 + column
            wanted = x[0, place] if 0 <= place < 7 else [0, 0]
            np.testing.assert_array_equal(found[0, block, column], wanted)


@pytest.mark.parametrize(("left", "right"), [(5, 0), (3, 2), (9, 7)])
@pytest.mark.parametrize(("size", "before", "after"), [(3, 2, 0), (4, 1, 1), (2, 3, 2)])
def test_columns_by_distance(left, right, size, before, after):
    x = np.random.default_rng(0).normal(size=(2, size, left + 1 + right))
    found = numbers(columns_of_distances(x, left, right, before, after))
    assert found.shape == (2, size, (before + 1 + after) * size)
    for query in range(size):
        for column in range(found.shape[2]):
            distance = column - query - before * size
            if max(-left, -before * size) <= distance <= right:
                np.testing.assert_allclose(found[:, query, column], x[:, query, distance + left], rtol=1e-6)


def test_a_block_is_not_longer_than_the_sequence():
    assert block_size(5, 3) == 3
    assert block_size(5, 9) == 5
    assert block_size(5, 0) == 1
