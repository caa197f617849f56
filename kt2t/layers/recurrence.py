"""How the steps of a Universal Transformer follow each other: the base class, and plain repetition."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.registry import register

Tensor = Any
Carried = list[Any]


class Recurrence(keras.layers.Layer):
    """Base class of the ways in which the steps of a `UniversalStack` follow each other.

    The stack calls `begin` once; then, for each step, `read`, its blocks, and the recurrence itself; and `result` at the
    end. What is carried from step to step belongs to single positions, so nothing of it needs to be kept in decoding.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Attributes:
        has_step_signal: Whether the stack adds a learned vector for each step.
        is_transition: Whether the recurrence takes the place of the blocks' feed-forward network.
        can_decode: Whether a position depends on earlier positions only.
    """

    has_step_signal = True
    is_transition = False
    can_decode = True

    def __init__(self, **kwargs: Any) -> None:
        # What is carried may be float32 under any dtype policy, such as sums of probabilities.
        super().__init__(**{"autocast": False, **kwargs})

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        """Makes the layers that depend on the stack's sizes; called once, when the stack is made."""

    def begin(self, x: Tensor) -> Carried:
        """Returns what the first step gets: the stack's input and whatever else is carried."""
        return [x]

    def read(self, carried: Carried, step: int) -> Tensor:
        """Returns the states that the blocks of this step transform, before positions and the step's vector are added."""
        return carried[0]

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        """Returns what the next step gets.

        Args:
            carried: What this step got.
            prepared: What the blocks transformed: `read`'s states with positions and the step's vector.
            transformed: What the blocks made of it.
            segments: (batch, time) int32, the example of each position; None if each row is one example.
            step: The step's number, from 0.
            training: Whether the model trains.
        """
        raise NotImplementedError(f"{type(self).__name__} must define call(carried, prepared, transformed, …).")

    def result(self, carried: Carried, real: Tensor | None, watched: bool, training: bool | None = None) -> Tensor:
        """Returns the stack's output, before its norm.

        Args:
            carried: What the last step left.
            real: (batch, time) boolean, False in padding; None if all positions are real.
            watched: Whether losses and metrics count this call; they do not in decoding.
            training: Whether the model trains.
        """
        return carried[0]


@register
class BasicRecurrence(Recurrence):
    """Each step transforms what the step before it made.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Source: Dehghani et al. 2019 (Universal Transformers), section 2.1.
    """

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        return [transformed]
