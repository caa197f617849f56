"""Computes the loss of a part of a batch, i.e. a replica's share or one of its micro-batches, on all backends."""

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
    """A part of a batch (a replica's share, or one of its micro-batches) while its loss is traced.

    `loss` computes the part's share of the batch's loss, and remembers the sums that `vector` then returns.

    Args:
        whole: The summed sample weights of the whole batch by output, from `Objective.total_weights`; None if the part
            is the whole batch.
        count: Number of parts.
        total: Function that sums a weight over all parts, if all parts are computed at the same time.

    Attributes:
        extra: Kind of the loss without a weight: "auxiliary" if there is also a loss of the targets, "own" if it is the
            model's only loss, None if there is none.
    """

    def __init__(
        self, whole: Sequence[Any] | None = None, count: int = 1, total: Callable[[Any], Any] | None = None
    ) -> None:
        self._whole = whole
        self._count = count
        self._total = total
        self._sums: list[Sums] | None = None
        self._extra: Any = None
        self.extra: str | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Makes this part the one that `open_part` returns, and whose loss `compute_loss` computes, inside the `with` block."""
        token = _open.set(self)
        try:
            yield
        finally:
            _open.reset(token)

    def loss(
        self, objective: Objective, y: Any, y_pred: Any, sample_weight: Any, extra: Any, training: bool = True
    ) -> Any:
        """Returns the part's share of the loss of the whole batch, a scalar; the shares of all parts add up to the loss.

        Args:
            objective: The losses given to `compile`.
            y, y_pred, sample_weight: The part's targets, the model's outputs, and the weights; nests by output.
            extra: The sum of the losses given to `add_loss`, or None. The batch's loss contains its mean over the
                parts. If there is also a loss of the targets, `extra` counts in training only.
            training: Whether this is a training step.

        Raises:
            ValueError: There is no loss, or no targets.
        """
        self._sums = objective.sums(y, y_pred, sample_weight) if y is not None else []
        if self._sums and not training:
            extra = None
        if extra is not None:
            self._extra, self.extra = extra, "auxiliary" if self._sums else "own"
        found = [share(self._sums, objective.coefficients, self._whole, self._total)] if self._sums else []
        found += [extra / self._count] if extra is not None else []
        if not found and y is None and objective.names:
            raise ValueError(
                "y: there are no targets to compute the loss with. Give `fit` and `evaluate` (features, targets), as "
                "`problem.batches` does."
            )
        if not found:
            raise ValueError("loss: there is none. Give `compile` a loss or let a layer call `add_loss`.")
        return sum(found[1:], found[0])

    def share_of(self, loss: Any) -> Any:
        """Returns the part's share of a loss that `compute_loss` returned.

        This is `loss` itself, or `loss / count` if the model overrides `compute_loss`, whose result is not a share.
        """
        return loss if self._sums is not None else loss / self._count

    def vector(self, names: Sequence[str], loss: Any, data: rows.Data) -> Any:
        """Returns the part's sums as one float32 vector; the vectors of all parts add up to the batch's.

        It holds Σ(w·l) of each output, Σw of each output, the loss without a weight, and the number of tokens (Σw of
        the data).

        Args:
            names: Names of the outputs.
            loss: The result of `compute_loss`.
            data: The part's (x, y, sample_weight).
        """
        if self._sums is None:
            self._extra, self.extra = loss, "own"
        sums = self._sums or [Sums(ops.zeros(()), ops.zeros(())) for _ in names]
        extra = ops.zeros(()) if self._extra is None else ops.cast(self._extra, "float32") / self._count
        numbers = [*(one.total for one in sums), *(one.weight for one in sums)]
        return ops.stack([*numbers, extra, tokens(data)])


_open: ContextVar[Part | None] = ContextVar("kt2t_part", default=None)


def open_part() -> Part:
    """Returns the `Part` whose `opened` block is active; outside of such a block, a new `Part` for a whole batch."""
    return _open.get() or Part()


def tokens(data: rows.Data) -> Any:
    """Returns the sum of a batch's sample weights, a float32 scalar, which the logs call tokens.

    For data without weights, or an output without weights, each row counts 1.

    Args:
        data: The batch's (x, y, sample_weight).
    """
    x, y, sample_weight = data
    count = ops.cast(rows.count((y, x)), "float32")
    weights = keras.tree.flatten(sample_weight)
    return sum(count if one is None else ops.sum(ops.cast(one, "float32")) for one in weights)
