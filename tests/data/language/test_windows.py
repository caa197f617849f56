"""Windows of a long row of ids: every id where it belongs, counted once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.language import windows
from kt2t.data.language.windows import evaluation_windows, slices, training_windows, window_at


def pieces(count, sizes=(3, 1, 5)):
    """0, 1, 2, … in pieces of several sizes."""
    row, place, number = np.arange(count, dtype=np.int32), 0, 0
    while place < count:
        yield row[place : place + sizes[number % len(sizes)]]
        place, number = place + sizes[number % len(sizes)], number + 1


def test_by_hand():
    found = [(window.tolist(), context) for window, context in evaluation_windows(pieces(9), 4, 3)]
    assert found == [([0, 1, 2, 3], 0), ([3, 4, 5, 6], 1), ([6, 7, 8], 1)]
    assert [record.tolist() for record in training_windows(pieces(7), 3)] == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6], [6]]


@pytest.mark.parametrize("block", [1, windows.BLOCK])
@given(count=st.integers(0, 60), length=st.integers(2, 12), data=st.data())
def test_evaluation_counts_every_id_once_with_its_context(block, count, length, data):
    stride = data.draw(st.integers(1, length))
    before, windows.BLOCK = windows.BLOCK, block
    try:
        found = list(evaluation_windows(pieces(count), length, stride))
    finally:
        windows.BLOCK = before
    counted = [int(one) for window, context in found for one in window[context:]]
    assert counted == list(range(count))
    assert all(len(window) <= length and (np.diff(window) == 1).all() for window, _ in found)
    assert all(context == length - stride for _, context in found[1:])


@pytest.mark.parametrize("block", [1, windows.BLOCK])
@given(count=st.integers(1, 60), length=st.integers(2, 12), data=st.data())
def test_training_windows_tile_the_text_from_any_phase(block, count, length, data):
    phase = data.draw(st.integers(0, length - 1))
    before, windows.BLOCK = windows.BLOCK, block
    try:
        records = list(training_windows(pieces(count), length))
    finally:
        windows.BLOCK = before
    seen = [window_at(record, length, phase) for record in records]
    assert [len(window) for window in seen] == [min(len(record), length) for record in records]
    ids = np.concatenate(seen)
    assert set(range(min(phase, max(0, count - length)), count)) <= set(ids.tolist())
    whole = count // length - 1  # windows that the end of the text does not move
    assert ids[: max(0, whole) * length].tolist() == list(range(phase, phase + max(0, whole) * length))
    if not phase:
        assert ids.tolist() == list(range(count))


def test_nothing_gives_nothing():
    assert list(slices([], 4, 2)) == [] == list(slices([np.empty(0, np.int32)], 4, 2))
