"""Pictures and recordings to feature maps for convolutions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.image_embedding import scaled
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class FeatureMapEmbedding(keras.layers.Layer):
    """Turns a picture, or the spectrogram of a recording, into a feature map: a position for every pixel.

        y = conv(pixels / 127.5 - 1) + b     or     y = conv(spectrogram) + b, 0 in padding

    Shapes:
        pixels (batch, height, width, channels) uint8 → (batch, height, width, hidden_dim);
        samples (batch, time) float32, segments (batch, time) int32 or None → (batch, frames, bands, hidden_dim)

    Args:
        hidden_dim: Channels of the map.
        spectrogram: Layer that makes a spectrogram of a recording; without one, the field is a picture.
        kernel_size: Side of the convolution's window, in pixels; 1 looks at each pixel alone.

    Raises:
        ValueError: A size is not positive.

    Source: the first convolution of Krizhevsky et al. 2012. Departs: stride 1, no activation; the model does the rest.
    """

    def __init__(self, hidden_dim: int, spectrogram: Any = None, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # a spectrogram needs all digits of the samples
        self.hidden_dim = positive("hidden_dim", hidden_dim)
        self.kernel_size = positive("kernel_size", kernel_size)
        self.spectrogram = spectrogram
        self.convolution = keras.layers.Conv2D(hidden_dim, kernel_size, padding="same", dtype=self.dtype_policy)

    def build(self, value_shape: Any, segments_shape: Any = None) -> None:
        self._columns = value_shape[1:] if self.spectrogram is None else (None, self.spectrogram.bands, 1)
        self.convolution.build((None, None, None, self._columns[-1]))

    def call(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        if self.spectrogram is None:
            return self.convolution(scaled(value, self.compute_dtype))
        y = self.convolution(ops.expand_dims(self.spectrogram(value, segments), -1))
        return y * ops.cast(ops.expand_dims(ops.greater(self.segments(value, segments), 0), -1), self.compute_dtype)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment ids of the map (batch, height, width): ones for a picture, 0 in the padding of a recording."""
        if self.spectrogram is None:
            return ops.ones_like(value[..., 0], dtype="int32")
        frames = self.spectrogram.segments(value, segments)
        return ops.repeat(ops.expand_dims(frames, -1), self.spectrogram.bands, axis=-1)

    def compute_output_shape(self, value_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        if self.spectrogram is None:
            return (*value_shape[:3], self.hidden_dim)
        return (*self.spectrogram.compute_output_shape(value_shape), self.hidden_dim)
