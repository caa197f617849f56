"""Normalisation to a fixed length, without weights."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class NoamNorm(keras.layers.Layer):
    """Scales every vector to the same length, without centring and without learned weights.

        y = x · sqrt(hidden_dim) / sqrt(max(Σ x², epsilon))

    The sum is float32 under every dtype policy.

    Shapes:
        x (…, hidden_dim) → (…, hidden_dim)

    Args:
        epsilon: Lower bound of the squared length that a vector is divided by.

    Raises:
        ValueError: `epsilon` is not positive.

    Source: Tensor2Tensor's noam norm; RMSNorm without a scale (Zhang and Sennrich 2019, equation 4) but for epsilon.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if epsilon <= 0:
            raise ValueError(f"epsilon: {epsilon} is not positive.")
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes no weights: this norm has none."""

    def call(self, x: Tensor) -> Tensor:
        wide = ops.cast(x, "float32")
        squared = ops.maximum(ops.sum(ops.square(wide), axis=-1, keepdims=True), self.epsilon)
        return ops.cast(wide * ops.rsqrt(squared) * x.shape[-1] ** 0.5, self.compute_dtype)
