"""Cuts a long stream of ids into windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

BLOCK = 65_536


def slices(pieces: Iterable[np.ndarray], size: int, step: int, overlap: int = 0) -> Iterator[np.ndarray]:
    """Cuts the joined pieces into slices that start every `step` ids. The last slices may be shorter.

    A slice that would only contain the last `overlap` ids of the slice before it is left out.

    Args:
        pieces: Arrays of consecutive ids.
        size: Maximum number of ids in a slice.
        step: Number of ids from the start of one slice to the start of the next.
        overlap: Number of ids at the start of a slice that were in the slice before it.
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
    """Cuts slices of 2 · length ids that start every `length` ids. Each has `length` places where a window can start."""
    return slices(pieces, 2 * length, length)


def window_at(record: np.ndarray, length: int, phase: int) -> np.ndarray:
    """Cuts one window from a slice of `training_windows`, starting at `phase`, or earlier if the slice is too short.

    If all slices use the same phase, their windows are adjacent and do not overlap, except for the last. With phase 0
    they are the whole text.
    """
    start = min(phase, max(0, len(record) - length))
    return record[start : start + length]


def evaluation_windows(pieces: Iterable[np.ndarray], length: int, stride: int) -> Iterator[tuple[np.ndarray, int]]:
    """Cuts windows of `length` ids that start every `stride` ids. Yields each with the number of its context ids.

    Context ids come first in a window and are not counted. So every id is counted in exactly one window, with at least
    `length` - `stride` ids before it; in the first window with all there are.
    """
    context = length - stride
    for number, window in enumerate(slices(pieces, length, stride, overlap=context)):
        yield window, context if number else 0
