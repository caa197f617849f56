"""Pictures to sequences of vectors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class ImageEmbedding(keras.layers.Layer):
    """Cuts a picture into square patches and projects each to a vector, row by row.

        x_p = W · (pixels of patch p / 127.5 - 1) + b

    So pixels run from -1 to 1. Where a patch reaches over the right or the lower edge, it is filled with grey (0).

    Shapes:
        pixels (batch, height, width, channels) uint8 → (batch, ⌈height / patch⌉ · ⌈width / patch⌉, hidden_dim)

    Args:
        hidden_dim: Width of a vector.
        patch: Side of a patch, in pixels; 1 makes a position of every pixel.

    Raises:
        ValueError: A size is not positive.

    Source: Dosovitskiy et al. 2021, equation 1. Departs: the model's stack adds the positions.
    """

    def __init__(self, hidden_dim: int, patch: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = positive("hidden_dim", hidden_dim)
        self.patch = positive("patch", patch)
        self.dense = keras.layers.Dense(hidden_dim, dtype=self.dtype_policy)

    def build(self, pixels_shape: Any, segments_shape: Any = None) -> None:
        self._patch_shape = (self.patch, self.patch, pixels_shape[-1])
        self.dense.build((None, None, self.patch**2 * pixels_shape[-1]))

    def call(self, pixels: Tensor, segments: Tensor | None = None) -> Tensor:
        x = scaled(pixels, self.compute_dtype)
        x = ops.pad(x, [[0, 0], [0, -ops.shape(x)[1] % self.patch], [0, -ops.shape(x)[2] % self.patch], [0, 0]])
        batch, height, width = (ops.shape(x)[axis] for axis in range(3))
        side, _, channels = self._patch_shape
        x = ops.reshape(x, (batch, height // side, side, width // side, side, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return self.dense(ops.reshape(x, (batch, (height // side) * (width // side), side * side * channels)))

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment ids of the output (batch, positions): all 1, because a picture has no padding."""
        batch, positions, _ = self.compute_output_shape(ops.shape(value))
        return ops.ones((batch, positions), dtype="int32")

    def compute_output_shape(self, pixels_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        rows, columns = (None if size is None else -(-size // self.patch) for size in pixels_shape[1:3])
        return (pixels_shape[0], None if rows is None or columns is None else rows * columns, self.hidden_dim)


def scaled(pixels: Tensor, dtype: str) -> Tensor:
    """Scales pixels from the range 0 … 255 to -1 … 1.

    Shapes:
        (batch, height, width, channels) → the same
    """
    return ops.cast(ops.cast(pixels, "float32") / 127.5 - 1.0, dtype)
