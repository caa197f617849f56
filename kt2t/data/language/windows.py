"""Cuts a long sequence of ids into windows while it streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

BLOCK = 65_536


def slices(pieces: Iterable[np.ndarray], size: int, step: int, overlap: int = 0) -> Iterator[np.ndarray]:
    """Slices of the joined pieces, one from every `step`-th id; those at the end may be shorter.

    A slice is made if it has more than `overlap` ids, or is the first.

    Args:
        pieces: Sequences of ids, which follow each other.
        size: The most ids of a slice.
        step: Ids from the start of a slice to the start of the next.
        overlap: A slice is left out if it has no ids beyond these first ones, which the slice before holds as well.
    """
    waiting: list[np.ndarray] = []
    count, first = 0, True
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count < size + BLOCK:
            continue
        joined, place = np.concatenate(waiting), 0
        while place + size <= len(joined):
            yield joined[place : place + size]
            place, first = place + step, False
        waiting, count = [joined[place:]], len(joined) - place
    joined = np.concatenate(waiting) if waiting else np.empty(0, np.int32)
    place = 0
    while len(joined) - place > (0 if first else overlap):
        yield joined[place : place + size]
        place, first = place + step, False


def training_windows(pieces: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Slices of 2 · length ids, one from every `length`-th id, so that a window can begin at any of `length` places."""
    return slices(pieces, 2 * length, length)


def window_at(record: np.ndarray, length: int, phase: int) -> np.ndarray:
    """The window of a record of `training_windows` that begins at `phase`, or earlier if the record ends too soon.

    With one phase for all records, the windows touch and do not overlap, except the last. With phase 0 they are the text.
    """
    start = min(phase, max(0, len(record) - length))
    return record[start : start + length]


def evaluation_windows(pieces: Iterable[np.ndarray], length: int, stride: int) -> Iterator[tuple[np.ndarray, int]]:
    """Windows of `length` ids, one from every `stride`-th id, each with the number of ids at its start that are only context.

    Every id counts in exactly one window, with at least `length` - `stride` ids before it in that window (in the first
    window, with all there are).
    """
    context = length - stride
    for number, window in enumerate(slices(pieces, length, stride, overlap=context)):
        yield window, context if number else 0
