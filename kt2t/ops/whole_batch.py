"""Facts about the whole batch for layers that see only a part of it: which rows count, and sums over replicas."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

Tensor = Any


class _Shown:
    def __init__(self, rows: Tensor | None, total: Callable[[list[Tensor]], list[Tensor]] | None) -> None:
        self.rows = rows
        self.total = total


_open: ContextVar[_Shown | None] = ContextVar("kt2t_whole_batch", default=None)


@contextlib.contextmanager
def showing(rows: Tensor | None, total: Callable[[list[Tensor]], list[Tensor]] | None = None) -> Iterator[None]:
    """Tells layers inside the `with` block which rows of the batch count and how to sum over replicas.

    Shapes:
        rows (batch,) boolean, False for rows that weigh nothing, such as those that fill up a batch; None where all count

    Args:
        total: Sums tensors over all replicas, inside the graph and with gradients; None where one device computes.
    """
    token = _open.set(_Shown(rows, total))
    try:
        yield
    finally:
        _open.reset(token)


def rows_that_count() -> Tensor | None:
    """Returns a boolean mask (batch,) of the rows of the batch that count; None if all rows count."""
    shown = _open.get()
    return None if shown is None else shown.rows


def summed_over_replicas(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Sums each tensor over all replicas that share the batch; returns the tensors unchanged on one device."""
    shown = _open.get()
    return list(tensors) if shown is None or shown.total is None else list(shown.total(list(tensors)))
