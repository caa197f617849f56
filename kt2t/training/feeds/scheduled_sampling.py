"""A decoder that reads its own guesses in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from kt2t.ops import randomness
from kt2t.options import positive
from kt2t.registry import register
from kt2t.training.feeds.feed import Feed

Tensor = Any


@register
class ScheduledSampling(Feed):
    """Lets the decoder read, at some positions, what the model itself would have written there instead of the targets.

    In decoding a model reads its own tokens, mistakes included; in plain training it never sees a mistake. Each pass runs
    the model without dropout, draws a token from its distribution at every position, and puts it in place of the
    target's token with `probability`. The next pass reads the result of the one before. What the model must predict
    stays the same, and no gradient flows through the draws. A pass costs about a third of a step.

    Args:
        probability: Of a drawn token at a position, from 0 to 1, or a schedule of it over the steps, of kt2t or Keras;
            `{type: PolynomialDecay, initial_learning_rate: 0.0, end_learning_rate: 0.5, decay_steps: 50000}` rises in a
            line.
        passes: Number of passes before the step.

    Raises:
        ValueError: `probability` is outside 0 to 1, `passes` is not positive, or the model writes no text.

    Source: Bengio et al. 2015; in parallel over the positions, Duckworth et al. 2019, algorithm 1.
    """

    def __init__(self, probability: float | Callable[[Any], Any], passes: int = 1) -> None:
        if not callable(probability) and not 0 <= probability <= 1:
            raise ValueError(f"probability: {probability} is not from 0 to 1.")
        self.probability = probability
        self.passes = positive("passes", passes)

    def check(self, features: Mapping[str, Any]) -> None:
        if not getattr(features.get("targets"), "is_fed_back", False):
            raise ValueError(
                "ScheduledSampling is for models that write text, which read what they wrote. Leave it out."
            )

    def __call__(self, model: Any, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        step = randomness.step()
        if step is None:
            return dict(x)
        chance = self.probability(step) if callable(self.probability) else self.probability
        read, gold = dict(x), ops.convert_to_tensor(x["targets"])
        is_real = ops.greater(x["targets_segments"], 0) if "targets_segments" in x else ops.not_equal(gold, 0)
        for _ in range(self.passes):
            guesses = ops.cast(self._drawn(model, read), gold.dtype)
            drawn = keras.random.uniform(ops.shape(gold), dtype="float32", seed=randomness.layer_seed(model))
            read["targets"] = ops.where(ops.logical_and(drawn < chance, is_real), guesses, gold)
        return read

    def _drawn(self, model: Any, x: dict[str, Tensor]) -> Tensor:
        """Draws a token for each position; the states and losses of layers are as if the model had not run."""
        variables = [*model.variables, *model.metrics_variables]
        with keras.StatelessScope([(variable, variable.value) for variable in variables]):
            logits = ops.stop_gradient(ops.cast(model(x, training=False), "float32"))
        rows = ops.reshape(logits, (-1, logits.shape[-1]))
        drawn = keras.random.categorical(rows, 1, dtype="int32", seed=randomness.layer_seed(model))
        return ops.reshape(drawn, ops.shape(x["targets"]))
