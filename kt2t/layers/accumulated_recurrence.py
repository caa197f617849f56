"""Adaptive computation time with a weighted sum of the steps."""

from __future__ import annotations

from typing import Any

from kt2t.layers.adaptive_recurrence import AdaptiveRecurrence
from kt2t.registry import register

Tensor = Any


@register
class AccumulatedRecurrence(AdaptiveRecurrence):
    """Adaptive computation time whose output is the sum of all steps by their weights: y = Σ_t w_t · blocks(x_t).

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        ponder_weight: Coefficient of the loss.
        epsilon: A position halts above 1 - epsilon.

    Raises:
        ValueError: `epsilon` is not between 0 and 1.

    Source: Graves 2016, equation 9; Tensor2Tensor's act_type "accumulated".
    """

    def added(self, output: Tensor, transformed: Tensor, weight: Tensor) -> Tensor:
        return output + transformed * weight
