"""Recordings to sequences of vectors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.features import Audio
from kt2t.layers.layer_norm import LayerNorm
from kt2t.layers.spectrogram import LogMelSpectrogram
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any
KERNEL, STRIDE = 3, 2


@register
class AudioEmbedding(keras.layers.Layer):
    """Turns a recording into one vector per `milliseconds` of sound: strided convolutions over a log-mel spectrogram.

        x_0 = log-mel spectrogram (frames, bands, 1)
        x_i = relu(norm(conv(x_(i-1)))), 3 × 3 with stride 2 in time and frequency
        output = relu(norm(W · all bands and channels of a position of x_n))

    The number of convolutions is log2(milliseconds / 10). Position p is real if its first sample, p · rate · milliseconds /
    1000, is; padding is zeroed before each convolution, so it changes no real position, and the output is 0 there.

    Shapes:
        samples (batch, time) float32, segments (batch, time) int32 or None
        → (batch, ⌈time / samples per position⌉, hidden_dim)

    Args:
        hidden_dim: Width of a vector.
        rate: Samples per second.
        milliseconds: Length of sound per position: 10, 20, 40 or 80.
        bands: Mel bands of the spectrogram.
        channels: Channels of each convolution; half of `hidden_dim`, at most 128, unless given.

    Raises:
        ValueError: A size is not positive, or Audio does not take `rate` or `milliseconds`.

    Source: Tensor2Tensor's speech bottom, which has 128 channels. Departs: padding is zeroed before each convolution.
    """

    def __init__(
        self,
        hidden_dim: int,
        rate: int = 16_000,
        milliseconds: int = 40,
        bands: int = 80,
        channels: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # the spectrogram needs all digits of the samples
        self.hidden_dim = positive("hidden_dim", hidden_dim)
        self.channels = positive("channels", max(1, min(128, hidden_dim // 2)) if channels is None else channels)
        self._values_per_position = Audio(rate, milliseconds).values_per_position
        options = {"dtype": self.dtype_policy}
        self.spectrogram = LogMelSpectrogram(rate, bands, **options)
        halvings = self._values_per_position // self.spectrogram.hop
        self.convolutions = [
            keras.layers.Conv2D(self.channels, KERNEL, STRIDE, use_bias=False, **options)
            for _ in range(halvings.bit_length() - 1)
        ]
        self.norms = [LayerNorm(**options) for _ in self.convolutions]
        self.dense = keras.layers.Dense(hidden_dim, use_bias=False, **options)
        self.norm = LayerNorm(**options)

    def build(self, samples_shape: Any, segments_shape: Any = None) -> None:
        bands, channels = self.spectrogram.bands, 1
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build((None, None, bands + 2, channels))
            bands, channels = -(-bands // STRIDE), self.channels
            norm.build((None, None, bands, channels))
        self._columns = bands * channels
        self.dense.build((None, None, self._columns))
        self.norm.build((None, None, self.hidden_dim))

    def call(self, samples: Tensor, segments: Tensor | None = None) -> Tensor:
        x = ops.expand_dims(self.spectrogram(samples, segments), -1)
        is_real = ops.greater(self.spectrogram.segments(samples, segments), 0)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # Padded by hand: Keras's "same" pads an even and an odd number of frames differently.
            x = convolution(ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))
            is_real = is_real[:, ::STRIDE]
            x = ops.relu(norm(x)) * ops.cast(is_real[:, :, None, None], self.compute_dtype)
        batch, positions = ops.shape(x)[:2]
        x = ops.relu(self.norm(self.dense(ops.reshape(x, (batch, positions, self._columns)))))
        return x * ops.cast(is_real[:, :, None], self.compute_dtype)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment id of each output position (batch, positions): that of its first sample."""
        whole = ops.ones_like(value, dtype="int32") if segments is None else segments
        return whole[:, :: self._values_per_position]

    def compute_output_shape(self, samples_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        time = samples_shape[1]
        positions = None if time is None else -(-time // self._values_per_position)
        return (samples_shape[0], positions, self.hidden_dim)
