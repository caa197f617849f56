"""Steps of a Universal Transformer with a gate between the new states and the stack's inputs."""

from __future__ import annotations

from typing import Any

from kt2t.layers.highway_recurrence import HighwayRecurrence
from kt2t.registry import register

Tensor = Any


@register
class SkipRecurrence(HighwayRecurrence):
    """A gate mixes what the blocks made with the inputs of the stack.

        x_t = g ⊙ blocks(x_(t-1)) + (1 - g) ⊙ x_0

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        gate_reads: See `HighwayRecurrence`.

    Raises:
        ValueError: `gate_reads` is empty or names something unknown.

    Source: Tensor2Tensor, universal_transformer_skip.
    """

    def kept(self, state: Tensor, inputs: Tensor) -> Tensor:
        return inputs
