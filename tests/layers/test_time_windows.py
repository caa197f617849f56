"""Windows along time, against loops."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.layers import Cache
from kt2t.layers.time_windows import keep_neighbours, neighbours, row_of
from kt2t.ops.masks import SegmentMask

X = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


def by_loops(x, width, segments, causal):
    left = width - 1 if causal else (width - 1) // 2
    found = np.zeros((width, *x.shape), "float32")
    for place, row, time in np.ndindex(found.shape[:3]):
        other = time + place - left
        if 0 <= other < x.shape[1] and segments[row, other] == segments[row, time] > 0:
            found[place, row, time] = x[row, other]
    return found


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("width", [1, 2, 3, 9])
def test_a_window_ends_where_its_example_ends(width, causal):
    found = np.stack([numbers(one) for one in neighbours(X, width, PACKED, causal)])
    np.testing.assert_array_equal(found, by_loops(X, width, PACKED, causal))


def test_without_segments_a_row_is_one_example():
    found = np.stack([numbers(one) for one in neighbours(X, 3)])
    np.testing.assert_array_equal(found, by_loops(X, 3, np.ones((2, 6)), False))


def test_steps_read_the_places_before_from_the_cache():
    whole = neighbours(X, 3, causal=True)
    cache = Cache(batch=2, length=6)
    keep_neighbours(cache, "it", 3, 3, "float32")
    for time in range(6):
        for one, other in zip(neighbours(X[:, time : time + 1], 3, cache=cache, name="it"), whole, strict=True):
            np.testing.assert_array_equal(numbers(one)[:, 0], numbers(other)[:, time])


def test_what_a_mask_tells_of_a_row():
    assert row_of(None) == (None, False)
    segments, causal = row_of(SegmentMask(PACKED, causal=True))
    assert segments is PACKED and causal
    segments, causal = row_of(PACKED > 0)
    assert numbers(segments).tolist() == (PACKED > 0).astype(int).tolist() and not causal
    with pytest.raises(ValueError, match=r"mask: shape \(1, 6, 6\) has an axis of queries"):
        row_of(np.ones((1, 6, 6), bool))
