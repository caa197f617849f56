"""Carries state that a forward pass changes, such as the moving averages of batch normalization, through the parts of a step.

The trainers assign the new state only if the step's gradients are finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


class Carry:
    """The state that a model's forward pass changes, carried through the parts of a step so that it changes once per step.

    Parts are replicas and micro-batches. Statistics (float weights that are not trained, such as moving averages) start
    each part with their value before the step, and change by the mean of the parts' changes, weighted by their rows of
    nonzero weight. Other state, such as that of Keras's random generators, is passed from one part to the next.

    Args:
        before: The values before the step, one tensor per variable.
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
        """Returns the values of the variables with which a part starts.

        Args:
            carried: The carried state after the part before, from `start` or `end`.
        """
        return [
            value if is_statistic else one
            for value, one, is_statistic in zip(self._before, carried, self._is_statistic, strict=True)
        ]

    def end(self, carried: Sequence[Any], values: Sequence[Any], fraction: Any) -> list[Any]:
        """Returns the carried state after a part of the batch.

        A statistic, such as a moving average, adds `fraction` · (its value after the part - its value before the step). Other
        state, such as that of a random generator, becomes its value after the part.

        Args:
            carried: The carried state before the part.
            values: The values of the variables after the part.
            fraction: The part's rows of nonzero weight, divided by those of the whole batch.
        """
        return [
            one + ops.cast(fraction, one.dtype) * (value - before) if is_statistic else value
            for before, one, value, is_statistic in zip(self._before, carried, values, self._is_statistic, strict=True)
        ]

    def after(self, carried: Sequence[Any], summed: Callable[[list[Any]], list[Any]] = list) -> list[Any]:
        """Returns the values of the variables after the step.

        Args:
            carried: The carried state after the last part.
            summed: Function that sums a list of tensors over replicas. Default: there is one replica.
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
