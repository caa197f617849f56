"""Many short arrays at once: NumPy's cost of a call is of all of them together, not of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from kt2t.features import END


def rows_of(ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Each sequence of ids as an int32 array."""
    ends = _ends(ids)
    return _views(np.fromiter(itertools.chain.from_iterable(ids), np.int32, ends[-1]), ends)


def ended(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each int32 array with the id of the end behind it."""
    ends = _ends(rows) + np.arange(len(rows) + 1)
    whole = np.full(ends[-1], END, np.int32)
    is_id = np.ones(ends[-1], bool)
    is_id[ends[1:] - 1] = False
    whole[is_id] = np.concatenate([np.empty(0, np.int32), *rows])
    return _views(whole, ends)


def _views(whole: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """The views of an array from each of these places to the next."""
    return [whole[start:end] for start, end in itertools.pairwise(ends.tolist())]


def _ends(rows: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    """Where each row begins when all stand one behind the other, and where the last ends."""
    return np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
