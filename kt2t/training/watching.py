"""Whether the numbers of a training are finite: noted on the device at every step, looked at by the host now and then."""

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
    """How many updates of the epoch were left out because their gradients were not finite, and which were the latest.

    Args:
        remembered: How many steps back `latest` reaches.

    Attributes:
        latest: (remembered,) int32, one more than the number of each bad step, at the step's remainder; 0 where there was
            none.
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
    """What the host knows of the bad steps. To look after each step would be to wait for the device at each.

    Args:
        max_bad_steps: So many in a row are too many.

    Attributes:
        bad_steps: Those noticed so far.
        in_a_row: The most in a row among those noticed last.
    """

    def __init__(self, max_bad_steps: int) -> None:
        self.bad_steps: list[int] = []
        self.in_a_row = 0
        self._row = 0
        self._most = max_bad_steps
        self._until_look = EVERY

    @property
    def is_over(self) -> bool:
        """Whether there were too many in a row."""
        return self.in_a_row >= self._most

    def is_due(self, steps: int) -> bool:
        """Whether to look again, after so many more steps."""
        self._until_look -= steps
        if self._until_look > 0:
            return False
        self._until_look = EVERY
        return True

    def note(self, latest: Iterable[Any]) -> list[int]:
        """Takes `BadSteps.latest` over; gives the steps in it that are new, in their order."""
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
    """`latest` and one number more: 1 if the weights seem finite, else 0. One int32 vector, so one wait for the device.

    A sum is finite only if every term is, and it is many times faster than looking at each. It may overflow: `not_finite`
    tells.
    """
    sums = [ops.sum(ops.cast(one, "float32")) for one in weights if keras.backend.is_float_dtype(str(one.dtype))]
    finite = ops.isfinite(ops.sum(ops.stack(sums))) if sums else ops.convert_to_tensor(True)
    return ops.concatenate([ops.cast(latest, "int32"), ops.reshape(ops.cast(finite, "int32"), (1,))])


def not_finite(model: keras.Model) -> list[str]:
    """The attribute paths of the weights that hold a value that is not finite, and of the rest how many there are."""
    from kt2t.ops.paths import attribute_paths

    found = [path for path, weight in attribute_paths(model).items() if not is_finite(ops.convert_to_numpy(weight))]
    return found[:_SHOWN] + ([f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])
