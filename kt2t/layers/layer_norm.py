"""Layer normalisation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.registry import register

Tensor = Any


@register
class LayerNorm(keras.layers.Layer):
    """Normalises the last axis to mean 0 and variance 1, then scales and shifts it.

        y = (x - mean(x)) / sqrt(var(x) + epsilon) · scale + shift

    The variance is the biased one, and the statistics are float32 under every dtype policy.

    Shapes:
        x (…, hidden_dim) → (…, hidden_dim)

    Args:
        epsilon: Added to the variance.

    Raises:
        ValueError: `epsilon` is not positive.

    Source: Ba et al. 2016; epsilon as in Tensor2Tensor.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
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
        y = centred * ops.rsqrt(self._spread(ops.square(centred)) + self.epsilon) * self.scale + self.shift
        return ops.cast(y, self.compute_dtype)

    def _spread(self, squares: Tensor) -> Tensor:
        return ops.mean(squares, axis=-1, keepdims=True)
