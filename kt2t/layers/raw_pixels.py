"""Pictures as they are, for layers that see all pixels at once."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.image_embedding import scaled
from kt2t.registry import register

Tensor = Any


@register
class RawPixels(keras.layers.Layer):
    """Scales the bytes of a picture to numbers from -1 to 1. It has no weights.

        y = pixels / 127.5 - 1

    Shapes:
        pixels (batch, height, width, channels) uint8 → (batch, height, width, channels)

    Source: Tensor2Tensor's bottom of pictures, which has no weights either. Departs: it takes pictures that the problem scaled.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # rounded to bfloat16, neighbouring bytes are the same number
        self.built = True

    def call(self, pixels: Tensor, segments: Tensor | None = None) -> Tensor:
        return scaled(pixels, self.compute_dtype)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment ids of the map (batch, height, width): all 1, because a picture has no padding."""
        return ops.ones_like(value[..., 0], dtype="int32")

    def compute_output_shape(self, pixels_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        return tuple(pixels_shape)
