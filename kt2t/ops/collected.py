"""Collects assignments to variables without making them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


class Collected(keras.StatelessScope):
    """Collects the assignments to variables, and the losses given to `add_loss`, inside the `with` block.

    Variables that nobody assigns to, such as frozen weights, are neither copied nor listed.

    Args:
        start: Pairs of a variable and its value at the beginning.

    Attributes:
        variables: The variables that were assigned to, in order.
        losses: The losses given to `add_loss`.
    """

    def __init__(self, start: Sequence[tuple[Any, Tensor]] = ()) -> None:
        super().__init__(state_mapping=list(start), collect_losses=True)
        self.variables: list[keras.Variable] = []

    def add_update(self, update: tuple[Any, Tensor]) -> None:
        if not any(update[0] is one for one in self.variables):
            self.variables.append(update[0])
        super().add_update(update)

    def get_current_value(self, variable: Any) -> Tensor | None:
        found = super().get_current_value(variable)
        # Keras asks this of a weight with a regularizer, and does not expect None.
        return variable._value if found is None and variable.regularizer is not None else found

    def values(self, variables: Sequence[Any]) -> list[Tensor]:
        """Returns the values of variables at the end of the block; an unassigned one has its present value."""
        found = [self.get_current_value(variable) for variable in variables]
        return [
            ops.convert_to_tensor(variable) if value is None else value
            for variable, value in zip(variables, found, strict=True)
        ]
