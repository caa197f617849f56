"""Makes many short arrays with a few NumPy calls for all of them together, instead of a call for each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from kt2t.features import END


def rows_of(ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Turns each sequence of ids into an int32 array."""
    ends = _ends(ids)
    return _views(np.fromiter(itertools.chain.from_iterable(ids), np.int32, ends[-1]), ends)


def ended(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Appends the end id to each int32 array."""
    ends = _ends(rows) + np.arange(len(rows) + 1)
    whole = np.full(ends[-1], END, np.int32)
    is_id = np.ones(ends[-1], bool)
    is_id[ends[1:] - 1] = False
    whole[is_id] = np.concatenate([np.empty(0, np.int32), *rows])
    return _views(whole, ends)


def _views(whole: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """Splits an array into views at these places."""
    return [whole[start:end] for start, end in itertools.pairwise(ends.tolist())]


def _ends(rows: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    """The place of each row's start when all rows are joined, and the end of the last."""
    return np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
