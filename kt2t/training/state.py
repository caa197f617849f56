"""Holds back the state that a forward pass changes, such as the moving averages of batch normalization, until the step is
known to be finite. Shared by the trainers of all backends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


class Carry:
    """Carries state through the parts of a step (replicas and micro-batches), so that it changes once per step.

    Statistics (float weights that are not trained) start each part with their value before the step, and change by the
    mean of the parts' changes, weighted by their rows of nonzero weight. Other state, such as that of Keras's random
    generators, is passed from one part to the next.

    Args:
        before: The values before the step.
        is_statistic: For each value, whether it is a statistic.
    """

    def __init__(self, before: Sequence[Any], is_statistic: Sequence[bool]) -> None:
        self._before = list(before)
        self._is_statistic = list(is_statistic)

    def start(self) -> list[Any]:
        """Returns the carried state before the first part: zeros for statistics, other state as before the step."""
        return [
            ops.zeros_like(value) if is_statistic else value
            for value, is_statistic in zip(self._before, self._is_statistic, strict=True)
        ]

    def begin(self, carried: Sequence[Any]) -> list[Any]:
        """Returns the values with which a part starts."""
        return [
            value if is_statistic else one
            for value, one, is_statistic in zip(self._before, carried, self._is_statistic, strict=True)
        ]

    def end(self, carried: Sequence[Any], values: Sequence[Any], fraction: Any) -> list[Any]:
        """Returns the carried state after a part.

        Args:
            values: The values at the end of the part.
            fraction: The part's rows of nonzero weight, divided by those of the whole batch.
        """
        return [
            one + ops.cast(fraction, one.dtype) * (value - before) if is_statistic else value
            for before, one, value, is_statistic in zip(self._before, carried, values, self._is_statistic, strict=True)
        ]

    def after(self, carried: Sequence[Any], summed: Callable[[list[Any]], list[Any]] = list) -> list[Any]:
        """Returns the values after the step.

        Args:
            summed: Function that sums tensors over replicas.
        """
        moves = iter(summed([one for one, yes in zip(carried, self._is_statistic, strict=True) if yes]))
        return [
            value + next(moves) if is_statistic else one
            for value, one, is_statistic in zip(self._before, carried, self._is_statistic, strict=True)
        ]


def are_statistics(variables: Sequence[Any], model: keras.Model) -> list[bool]:
    """Returns, for each variable, whether it is a statistic of the model: a float weight that is not trained."""
    weights = {id(weight) for weight in model.non_trainable_weights}
    return [id(one) in weights and keras.backend.is_float_dtype(str(one.dtype)) for one in variables]
