"""Dropout that a step's root of randomness decides."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.randomness import kept, layer_seed
from kt2t.options import below_one
from kt2t.registry import register

Tensor = Any


@register
class Dropout(keras.layers.Layer):
    """Zeroes elements at random in training and scales the others up, so that the expectation stays.

        y = x · m / (1 - rate),  m = 1 with probability 1 - rate, else 0

    With an open root of `kt2t.ops.randomness` the mask is a function of seed, step and this layer's path; without one
    the layer's own generator advances.

    Shapes:
        x (…) → (…)

    Args:
        rate: Probability of zeroing an element, in training only.
        broadcast_axes: Axes that share one mask; the batch is axis 0.
        seed: Seed for use without a root; None draws one from Python's generator.

    Raises:
        ValueError: `rate` is not in [0, 1).

    Source: Srivastava et al. 2014.
    """

    def __init__(
        self, rate: float, broadcast_axes: list[int] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.rate = below_one("rate", rate)
        self.broadcast_axes = broadcast_axes or []
        self.seed_generator = keras.random.SeedGenerator(seed) if rate else None
        self.built = True

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        if not training or not self.rate:
            return x
        mask = kept(self._mask_shape(x), self.rate, layer_seed(self) or self.seed_generator)
        return x * (ops.cast(mask, x.dtype) * ops.cast(1 / (1 - self.rate), x.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def _mask_shape(self, x: Tensor) -> list[Any]:
        shape = list(ops.shape(x))
        for axis in self.broadcast_axes:
            shape[axis] = 1
        return shape
