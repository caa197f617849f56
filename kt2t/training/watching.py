"""Finds gradients and weights that are not finite. The device records bad steps; the host reads the record every 16 steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import ops

from kt2t.training.finite import is_finite
from kt2t.training.loss_tracker import counter

EVERY = 16
_SHOWN = 8


class BadSteps(keras.metrics.Metric):
    """Metric that counts and records, on the device, the steps of an epoch skipped because a gradient was not finite.

    Args:
        remembered: Number of most recent steps that `latest` covers.
        name: Name in the logs.

    Attributes:
        latest: (remembered,) int32. Entry `step % remembered` holds step + 1 for a skipped step, else 0.
    """

    def __init__(self, remembered: int = 2 * EVERY, name: str = "bad_steps") -> None:
        super().__init__(name=name)
        self._remembered = remembered
        self._count = counter((), "count", "int32")
        self.latest = counter((remembered,), "latest", "int32")

    def update_state(self, finite: Any, step: Any) -> None:
        bad = ops.cast(ops.logical_not(finite), "int32")
        step = ops.cast(step, "int32")
        self._count.assign(self._count + bad)
        here = ops.cast(ops.equal(ops.arange(self._remembered), step % self._remembered), "int32") * bad
        self.latest.assign(self.latest * (1 - here) + here * (step + 1))

    def result(self) -> Any:
        return ops.convert_to_tensor(self._count)

    def reset_state(self) -> None:
        self._count.assign(0)


class Watch:
    """The host's list of bad steps (whose gradients were not finite), which is updated only every 16 steps.

    Each reading waits for the device, so reading at every step would slow training down.

    Args:
        max_bad_steps: Number of consecutive bad steps that ends training.

    Attributes:
        bad_steps: Bad steps found so far.
        in_a_row: The most consecutive bad steps that the last reading found.
    """

    def __init__(self, max_bad_steps: int) -> None:
        self.bad_steps: list[int] = []
        self.in_a_row = 0
        self._row = 0
        self._most = max_bad_steps
        self._until_look = EVERY

    @property
    def is_over(self) -> bool:
        """Whether the last reading found `max_bad_steps` consecutive bad steps, so that training should end."""
        return self.in_a_row >= self._most

    def is_due(self, steps: int) -> bool:
        """Counts `steps` more training steps, and returns whether to read the record now, i.e. every 16 steps."""
        self._until_look -= steps
        if self._until_look > 0:
            return False
        self._until_look = EVERY
        return True

    def note(self, latest: Iterable[Any]) -> list[int]:
        """Adds the new bad steps to the list and returns them in ascending order.

        Args:
            latest: The values of `BadSteps.latest`: step + 1 for a bad step, else 0.
        """
        marks = [int(mark) for mark in latest]
        known = set(self.bad_steps[-len(marks) :])
        new = sorted(mark - 1 for mark in marks if mark and mark - 1 not in known)
        self.in_a_row = 0
        for step in new:
            follows = bool(self.bad_steps) and step == self.bad_steps[-1] + 1
            self._row = self._row + 1 if follows else 1
            self.in_a_row = max(self.in_a_row, self._row)
            self.bad_steps.append(step)
        return new


def condition(weights: Sequence[Any], latest: Any) -> Any:
    """Returns `latest` with a 1 appended if all weights are finite, else a 0, so that the host reads both in one transfer.

    Weights count as finite if their sum is, which is much faster than checking each. A sum of finite weights may
    overflow, so after a 0 `not_finite` checks each weight.

    Args:
        weights: The model's weights.
        latest: (remembered,) int32, the value of `BadSteps.latest`.
    """
    sums = [ops.sum(ops.cast(one, "float32")) for one in weights if keras.backend.is_float_dtype(str(one.dtype))]
    finite = ops.isfinite(ops.sum(ops.stack(sums))) if sums else ops.convert_to_tensor(True)
    return ops.concatenate([ops.cast(latest, "int32"), ops.reshape(ops.cast(finite, "int32"), (1,))])


def not_finite(model: keras.Model) -> list[str]:
    """Returns the attribute paths of the model's weights that hold an infinity or NaN: the first 8, then `N more`."""
    from kt2t.ops.paths import attribute_paths

    found = [path for path, weight in attribute_paths(model).items() if not is_finite(ops.convert_to_numpy(weight))]
    return found[:_SHOWN] + ([f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])
