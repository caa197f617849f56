"""The contract of the layers that compute a vector for each area."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.ops.areas import Sizes

Tensor = Any


class AreaStatistic(keras.layers.Layer):
    """Base class of the layers that compute a vector for each area of a sequence or grid.

    `AreaAttention` calls `build` with the sizes of its areas before the first call. A layer with weights overrides it.

    Shapes:
        x (…, time, depth) → (…, areas, depth)
    """

    def build(self, x_shape: Any, sizes: Sizes) -> None:
        """Makes no weights."""

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define call(x, sizes, training).")
