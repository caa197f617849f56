"""Normalisation to unit length."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class L2Norm(keras.layers.Layer):
    """Centres the last axis and gives it length 1, then scales and shifts it.

        y = (x - mean(x)) / sqrt(Σ (x - mean(x))² + epsilon) · scale + shift

    It is layer norm with a sum in place of the variance: 1/√hidden_dim of its size before the scale. The statistics are
    float32 under every dtype policy.

    Shapes:
        x (…, hidden_dim) → (…, hidden_dim)

    Args:
        epsilon: Added to the squared length.

    Raises:
        ValueError: `epsilon` is not positive.

    Source: Tensor2Tensor's l2 norm, in which scale starts at 1 and shift at 0.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(f"epsilon: {epsilon} is not positive.")
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale", autocast=False)
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift", autocast=False)

    def call(self, x: Tensor) -> Tensor:
        wide = ops.cast(x, "float32")
        centred = wide - ops.mean(wide, axis=-1, keepdims=True)
        squared = ops.sum(ops.square(centred), axis=-1, keepdims=True)
        y = centred * ops.rsqrt(squared + self.epsilon) * self.scale + self.shift
        return ops.cast(y, self.compute_dtype)
