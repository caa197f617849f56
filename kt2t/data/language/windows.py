"""A long row of ids cut into windows, while it streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

BLOCK = 65_536


def slices(pieces: Iterable[np.ndarray], size: int, step: int, overlap: int = 0) -> Iterator[np.ndarray]:
    """Slices of the joined pieces, one beginning at every `step`-th id; those at the end may be shorter.

    A slice is made if it has more than `overlap` ids, or is the first.

    Args:
        pieces: Rows of ids, which follow each other.
        size: Ids in a slice, at most.
        step: Ids from the start of a slice to the start of the next.
        overlap: Number of ids that a slice repeats from the one before it.
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
    """Slices of 2 · length ids, one at every `length`-th: in each of them a window may begin at any of `length` places."""
    return slices(pieces, 2 * length, length)


def window_at(record: np.ndarray, length: int, phase: int) -> np.ndarray:
    """The window of a record of `training_windows` that begins at `phase`; earlier where the record ends too soon.

    With one phase for all records the windows touch without overlap, but for the last. With phase 0 they are the text.
    """
    start = min(phase, max(0, len(record) - length))
    return record[start : start + length]


def evaluation_windows(pieces: Iterable[np.ndarray], length: int, stride: int) -> Iterator[tuple[np.ndarray, int]]:
    """Windows of `length` ids, one at every `stride`-th, each with how many ids at its start are context only.

    Every id is counted in one window, with at least `length` - `stride` ids before it in that window; in the first window
    with all there are.
    """
    context = length - stride
    for number, window in enumerate(slices(pieces, length, stride, overlap=context)):
        yield window, context if number else 0
