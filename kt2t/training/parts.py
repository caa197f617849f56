"""A part of a batch, which is computed at once: a replica's share of it, or one of its micro-batches. Neutral code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from kt2t.training import rows
from kt2t.training.objective import Objective, Sums, share


class Part:
    """What is known of a part while its computation is traced.

    Args:
        whole: Of each output the given weights of the whole batch; None where the part is the whole.
        count: How many parts there are.
        total: Sums a weight over all parts, where all of them are computed at the same time.
    """

    def __init__(
        self, whole: Sequence[Any] | None = None, count: int = 1, total: Callable[[Any], Any] | None = None
    ) -> None:
        self._whole = whole
        self._count = count
        self._total = total
        self._sums: list[Sums] | None = None
        self._extra: Any = None

    @property
    def has_extra_loss(self) -> bool:
        """Whether there is a loss that has no weight."""
        return self._extra is not None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Within, `compute_loss` is of this part."""
        token = _open.set(self)
        try:
            yield
        finally:
            _open.reset(token)

    def loss(self, objective: Objective, y: Any, y_pred: Any, sample_weight: Any, extra: Any) -> Any:
        """The part's share of the loss of the whole batch.

        Args:
            extra: What layers gave to `add_loss`, or None; the whole has its mean over the parts.

        Raises:
            ValueError: There is no loss.
        """
        self._sums = objective.sums(y, y_pred, sample_weight) if y is not None else []
        self._extra = extra
        found = [share(self._sums, objective.coefficients, self._whole, self._total)] if self._sums else []
        found += [extra / self._count] if extra is not None else []
        if not found:
            raise ValueError("loss: there is none. Give `compile` a loss or let a layer call `add_loss`.")
        return sum(found[1:], found[0])

    def share_of(self, loss: Any) -> Any:
        """The part's share of a loss: of an overridden `compute_loss` nothing is known but its mean."""
        return loss if self._sums is not None else loss / self._count

    def vector(self, names: Sequence[str], loss: Any, data: rows.Data) -> Any:
        """What the part adds to the sums of the batch, float32: Σ(w·l) and Σw of each output, extra losses, tokens.

        Args:
            names: Of the outputs.
            loss: What `compute_loss` gave.
        """
        if self._sums is None:
            self._sums, self._extra = [Sums(ops.zeros(()), ops.zeros(())) for _ in names], loss
        extra = ops.zeros(()) if self._extra is None else ops.cast(self._extra, "float32") / self._count
        numbers = [*(one.total for one in self._sums), *(one.weight for one in self._sums)]
        return ops.stack([*numbers, extra, tokens(data)])


_open: ContextVar[Part | None] = ContextVar("kt2t_part", default=None)


def open_part() -> Part:
    """The part that is being computed; a whole batch where `compute_loss` is called by somebody else."""
    return _open.get() or Part()


def tokens(data: rows.Data) -> Any:
    """The summed weights of a batch, a float32 scalar: of its rows where it has, or an output of it has, no weights."""
    x, y, sample_weight = data
    count = ops.cast(rows.count((y, x)), "float32")
    weights = keras.tree.flatten(sample_weight)
    return sum(count if one is None else ops.sum(ops.cast(one, "float32")) for one in weights)
