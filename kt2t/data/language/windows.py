"""Cuts a stream of ids into windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

BLOCK = 65_536


def slices(pieces: Iterable[np.ndarray], size: int, step: int, overlap: int = 0) -> Iterator[np.ndarray]:
    """Joins the pieces and yields slices of them, one beginning at every `step`-th id; the last slices may be shorter.

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
    """Yields slices of 2 · length ids, one at every `length`-th id. A training window begins at any of the first `length`."""
    return slices(pieces, 2 * length, length)


def window_at(record: np.ndarray, length: int, phase: int) -> np.ndarray:
    """Cuts a training window of `length` ids, which begins at offset `phase`, from one of the slices of `training_windows`.

    In a slice that is too short for that, the window begins earlier.

    If all slices use the same phase, their windows follow each other without overlap, except for the last one.
    """
    start = min(phase, max(0, len(record) - length))
    return record[start : start + length]


def evaluation_windows(pieces: Iterable[np.ndarray], length: int, stride: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yields windows of `length` ids, one at every `stride`-th id, each with the number of its first ids that are context.

    Every id is scored in exactly one window, with at least `length` - `stride` ids before it there; in the first window, with
    all ids before it.
    """
    context = length - stride
    for number, window in enumerate(slices(pieces, length, stride, overlap=context)):
        yield window, context if number else 0
