"""Draws a vector for each area."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.area_statistic import AreaStatistic
from kt2t.ops.areas import Sizes, deviations, means
from kt2t.ops.randomness import layer_seed
from kt2t.registry import register

Tensor = Any


@register
class AreaSample(AreaStatistic):
    """Draws a vector for each area from a normal distribution, in training; otherwise takes the mean.

        y_A = μ_A + σ_A · ε,   ε ~ N(0, 1) in training, else 0

    μ_A and σ_A are the mean and the standard deviation over the area.

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Args:
        seed: Seed for use without a root of `kt2t.ops.randomness`; None draws one from Python's generator.

    Source: Tensor2Tensor's area key mode sample.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        mean = means(x, sizes)
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=layer_seed(self) or self.seed_generator)
        return mean + deviations(x, sizes) * ops.cast(noise, mean.dtype)
