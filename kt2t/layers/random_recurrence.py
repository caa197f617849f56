"""Adaptive computation time with random halting, to compare with."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.adaptive_recurrence import AdaptiveRecurrence
from kt2t.ops.randomness import layer_seed
from kt2t.registry import register

Tensor = Any


@register
class RandomRecurrence(AdaptiveRecurrence):
    """Adaptive computation time in which the probability of halting is drawn evenly from 0 to 1 in training, and is ½ else.

    A baseline: it shows what learning when to halt is worth.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        ponder_weight: Coefficient of the loss.
        epsilon: A position halts above 1 - epsilon.

    Raises:
        ValueError: `epsilon` is not between 0 and 1.

    Source: Tensor2Tensor's act_type "random", which draws outside training, too; ½ keeps answers repeatable.
    """

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        self.seed_generator = keras.random.SeedGenerator()

    def probability(self, x: Tensor, segments: Tensor | None = None, training: bool | None = None) -> Tensor:
        each = ops.cast(x[..., 0], "float32")
        if not training:
            return ops.full_like(each, 0.5)
        seed = layer_seed(self) or self.seed_generator
        return keras.random.uniform(ops.shape(each), dtype="float32", seed=seed)
