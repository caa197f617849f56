"""Shifting between keys and distances, element by element."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.ops.shifts import distances_of_keys, keys_of_distances


@pytest.mark.parametrize("length", [1, 2, 5])
def test_every_key_is_at_its_distance(length):
    x = np.random.default_rng(0).normal(size=(2, 3, length, 2 * length - 1)).astype("float32")
    found = numbers(keys_of_distances(x, length))
    wanted = [[x[:, :, i, j - i + length - 1] for j in range(length)] for i in range(length)]
    np.testing.assert_array_equal(found, np.transpose(wanted, (2, 3, 0, 1)))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_way_back(length):
    x = np.random.default_rng(0).normal(size=(2, 3, length, length)).astype("float32")
    wanted = np.zeros((2, 3, length, 2 * length - 1), "float32")
    for i in range(length):
        for j in range(length):
            wanted[:, :, i, j - i + length - 1] = x[:, :, i, j]
    np.testing.assert_array_equal(numbers(distances_of_keys(x, length)), wanted)
