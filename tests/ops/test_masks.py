"""The masks, against loops that say the same in words."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.ops import masks


def table(mask):
    return np.asarray(ops.convert_to_numpy(mask))


def test_padding_shows_the_keys_that_are_not_padding():
    seen = table(masks.padding(np.array([[1, 1, 2, 0], [0, 0, 0, 0]], "int32")))
    np.testing.assert_array_equal(seen, [[[True, True, True, False]], [[False] * 4]])


@pytest.mark.parametrize(("queries", "keys", "offset"), [(5, None, 0), (3, 7, 2), (1, 6, 4)])
def test_causal_shows_no_later_key(queries, keys, offset):
    seen = table(masks.causal(queries, keys, offset))
    assert seen.shape == (1, queries, keys or queries)
    for q in range(queries):
        for k in range(keys or queries):
            assert seen[0, q, k] == (k <= q + offset)


def test_causal_takes_tensors():
    seen = table(masks.causal(1, 4, ops.convert_to_tensor(2)))
    np.testing.assert_array_equal(seen, [[[True, True, True, False]]])


@pytest.mark.parametrize(("left", "right"), [(2, 0), (0, 1), (None, 1), (1, None), (None, None)])
def test_window_limits_both_sides(left, right):
    seen = table(masks.window(5, left, right, key_length=8, offset=3))
    for q in range(5):
        for k in range(8):
            before, after = q + 3 - k, k - q - 3
            assert seen[0, q, k] == ((left is None or before <= left) and (right is None or after <= right))


def test_segments_see_only_themselves_and_padding_sees_nothing():
    queries, keys = np.array([[1, 1, 2, 0]], "int32"), np.array([[1, 2, 2, 0, 0]], "int32")
    seen = table(masks.same_segment(queries, keys))
    expected = [[q == k and k > 0 for k in keys[0]] for q in queries[0]]
    np.testing.assert_array_equal(seen[0], expected)


def test_a_prefix_is_seen_by_all_and_the_rest_is_causal():
    seen = table(masks.prefix(np.array([2, 0], "int32"), 4))
    for row, length in enumerate([2, 0]):
        for q in range(4):
            for k in range(4):
                assert seen[row, q, k] == (k <= q or k < length)


def test_both_is_the_conjunction_and_none_allows_all():
    segments = np.array([[1, 1, 0]], "int32")
    seen = table(masks.both(None, masks.causal(3), masks.padding(segments)))
    np.testing.assert_array_equal(seen, [[[1, 0, 0], [1, 1, 0], [1, 1, 0]]])
    assert masks.both(None, None) is None


SEGMENTS = np.array([[1, 1, 2, 2, 0]], "int32")
SAME = (SEGMENTS[:, :, None] == SEGMENTS[:, None]) & (SEGMENTS[:, None] > 0)


@pytest.mark.parametrize("shared", [True, False])
def test_a_rule_becomes_a_mask_when_it_is_asked_for(shared):
    before = np.tril(np.ones((5, 5), bool))
    for rule, wanted in (
        (masks.SegmentMask(SEGMENTS, shared=shared), SAME),
        (masks.SegmentMask(SEGMENTS, causal=True, shared=shared), SAME & before),
        (masks.SegmentMask(SEGMENTS, reads_padding=True, shared=shared), (SEGMENTS > 0)[:, None]),
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(rule.dense()), wanted)
        assert (rule.dense() is rule.dense()) == shared


def test_rows_in_front():
    """Two examples, [0, a] and [0, b], whose inputs share a row: start, a, b, then the targets of both."""
    segments = np.array([[1, 1, 2, 1, 2]], "int32")
    found = ops.convert_to_numpy(masks.SegmentMask(segments, causal=True, front=3).dense())[0]
    assert found.astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 0, 1, 0, 1],
    ]
    one = np.ones((1, 4), "int32")
    found = ops.convert_to_numpy(masks.SegmentMask(one, causal=True, front=2, full_front=True).dense())[0]
    assert found.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
