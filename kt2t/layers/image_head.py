"""Hidden states to logits over the values of pixels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.options import positive
from kt2t.registry import register

Tensor = Any
VALUES = 256


@register
class ImageHead(keras.layers.Layer):
    """Computes logits over the 256 values of each channel of each pixel; a position of the sequence is a pixel.

        logits[row, column, channel] = W_channel · h_(row · width + column) + b_channel

    Shapes:
        hidden (batch, height · width, hidden_dim) → (batch, height, width, channels, 256);
        `answer`: these logits → (batch, height, width, channels) uint8

    Args:
        height: In pixels.
        width: In pixels.
        channels: 3 for red, green and blue; 1 for grey.

    Raises:
        ValueError: A size is not positive, or there are not `height · width` positions.

    Source: the pixel-wise softmax of van den Oord et al. 2016, section 3.2. Departs: channels are independent of each other.
    """

    def __init__(self, height: int, width: int, channels: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = positive("height", height)
        self.width = positive("width", width)
        self.channels = positive("channels", channels)
        self.dense = keras.layers.Dense(channels * VALUES, dtype=self.dtype_policy)

    def build(self, hidden_shape: Any, segments_shape: Any = None) -> None:
        if hidden_shape[1] not in (None, self.height * self.width):
            raise ValueError(
                f"features: a picture of {self.height} × {self.width} pixels is predicted from {self.height * self.width} "
                f"positions, one per pixel, and there are {hidden_shape[1]}. Read the inputs with as many positions."
            )
        self.dense.build(hidden_shape)

    def call(self, hidden: Tensor, segments: Tensor | None = None) -> Tensor:
        return ops.reshape(self.dense(hidden), (-1, self.height, self.width, self.channels, VALUES))

    def answer(self, logits: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the most probable value of each channel of each pixel."""
        return ops.cast(ops.argmax(logits, axis=-1), "uint8")

    def compute_output_shape(self, hidden_shape: Any, segments_shape: Any = None) -> tuple[int | None, ...]:
        return (hidden_shape[0], self.height, self.width, self.channels, VALUES)
