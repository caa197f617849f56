"""Adaptive computation time in which all positions of an example halt together."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.adaptive_recurrence import AdaptiveRecurrence
from kt2t.ops.masks import same_segment
from kt2t.registry import register

Tensor = Any


@register
class GlobalRecurrence(AdaptiveRecurrence):
    """Adaptive computation time in which all positions of an example halt together, by the mean of their probabilities.

    The mean reads later positions, so a decoder cannot use it.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        ponder_weight: Coefficient of the loss.
        epsilon: An example halts above 1 - epsilon.

    Raises:
        ValueError: `epsilon` is not between 0 and 1.

    Source: Tensor2Tensor's act_type "global". Departs: padding is no part of the mean, unless the stack includes it.
    """

    can_decode = False

    def probability(self, x: Tensor, segments: Tensor | None = None, training: bool | None = None) -> Tensor:
        each = super().probability(x)
        if segments is None:
            return ops.broadcast_to(ops.mean(each, axis=1, keepdims=True), ops.shape(each))
        same = ops.cast(same_segment(segments, segments), "float32")
        total = ops.sum(same * ops.expand_dims(each, 1), axis=2)
        return total / ops.maximum(ops.sum(same, axis=2), 1.0)
