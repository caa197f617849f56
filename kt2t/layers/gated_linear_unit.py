"""A dense layer whose outputs are multiplied by gates."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class GatedLinearUnit(keras.layers.Layer):
    """Dense layer whose outputs are multiplied by gates between 0 and 1, which another dense layer computes.

        y = (W · x + b) ⊙ σ(V · x + c)

    Shapes:
        x (…, dim) → (…, units)

    Args:
        units: Width of the output.

    Raises:
        ValueError: `units` is not positive.

    Source: Dauphin et al. 2017, section 2.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = positive("units", units)
        self.value = keras.layers.Dense(units, dtype=self.dtype_policy)
        self.gate = keras.layers.Dense(units, activation="sigmoid", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        self.value.build(input_shape)
        self.gate.build(input_shape)

    def call(self, x: Tensor) -> Tensor:
        return self.value(x) * self.gate(x)
