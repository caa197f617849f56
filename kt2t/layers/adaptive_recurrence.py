"""Steps of a Universal Transformer that end earlier where less is to do: adaptive computation time."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.recurrence import Carried, Recurrence
from kt2t.registry import register

Tensor = Any


@register
class AdaptiveRecurrence(Recurrence):
    """Each position decides after how many steps its output is final: adaptive computation time.

    In each step a position halts with probability p = σ(w · x + b), x being what its blocks transform. When the sum of its
    p exceeds 1 - `epsilon`, it has halted; the rest of 1 is the weight of its last step. Its output is

        y ← w_t · blocks(x_t) + (1 - w_t) · y,   w_t = p_t, in its last step the rest, afterwards 0

    The loss ponder_weight · mean over real positions of (number of steps + rest) goes through `add_loss`; the metric
    `ponder_time` is the mean number of steps. `num_steps` of the stack is the highest number. All of them are computed for
    every position, since later steps of halted positions change nothing.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        ponder_weight: Coefficient of the loss.
        epsilon: A position halts above 1 - epsilon.

    Raises:
        ValueError: `epsilon` is not between 0 and 1.

    Source: Graves 2016, section 2.1; Dehghani et al. 2019, section 2.2 and appendix C, whose running mean y is.
    """

    def __init__(self, ponder_weight: float = 0.01, epsilon: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < epsilon < 1:
            raise ValueError(f"epsilon: {epsilon} is not between 0 and 1.")
        self.ponder_weight = ponder_weight
        self.epsilon = epsilon
        self.ponder_time = keras.metrics.Mean("ponder_time")

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        self.halting = keras.layers.Dense(1, "sigmoid", bias_initializer="ones", dtype="float32")
        self.halting.build((None, hidden_dim))

    def begin(self, x: Tensor) -> Carried:
        zeros = ops.cast(ops.zeros_like(x[..., 0]), "float32")
        return [x, zeros, zeros, zeros, ops.zeros_like(x)]

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        _, total, rest, count, output = carried
        p = self.probability(prepared, segments, training)
        runs = ops.cast(total < 1.0, "float32")
        halts = ops.cast(total + p * runs > 1.0 - self.epsilon, "float32") * runs
        runs = runs - halts
        total = total + p * runs
        rest = rest + halts * (1.0 - total)
        total = total + halts * rest
        weight = ops.cast(ops.expand_dims(p * runs + halts * rest, -1), transformed.dtype)
        return [transformed, total, rest, count + runs + halts, self.added(output, transformed, weight)]

    def result(self, carried: Carried, real: Tensor | None, watched: bool, training: bool | None = None) -> Tensor:
        _, _, rest, count, output = carried
        if watched:
            weight = ops.ones_like(count) if real is None else ops.cast(real, "float32")
            mean = ops.sum((count + rest) * weight) / ops.maximum(ops.sum(weight), 1.0)
            self.add_loss(self.ponder_weight * mean)
            self.ponder_time.update_state(count, weight)
        return output

    def probability(self, x: Tensor, segments: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Returns the probability of each position to halt in this step: (batch, time, hidden_dim) → (batch, time)."""
        return self.halting(ops.cast(x, "float32"))[..., 0]

    def added(self, output: Tensor, transformed: Tensor, weight: Tensor) -> Tensor:
        """Returns the output after a step."""
        return transformed * weight + output * (1 - weight)
