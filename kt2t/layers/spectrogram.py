"""Recordings to spectrograms."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kt2t.features import Audio
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any
WINDOW_MILLISECONDS = 25
LOWEST, HIGHEST = 20.0, 8000.0  # edges of the mel bands, in Hz
FLOOR = 1e-3  # smallest magnitude: what 16-bit samples round off
EPSILON = 1e-3  # added to a variance of log magnitudes


@register
class LogMelSpectrogram(keras.layers.Layer):
    """Computes the logarithm of a mel spectrogram, normalised per recording: a frame of 25 ms every 10 ms.

        m_tk = Σ_f mel_kf |DFT(hann · x_t)|_f,   y = log max(m, 0.001)
        output = (y - mean(y)) / sqrt(var(y) + 0.001)

    Frame t begins at sample t · rate / 100, and is real if that sample is. Padding counts as silence inside of a frame, and
    a frame of padding is 0. Mean and variance are those of all real frames and bands of a recording, so that loudness drops
    out and the shape of the spectrum stays. Everything is float32 under every dtype policy.

    Shapes:
        samples (batch, time) float32, segments (batch, time) int32 or None → (batch, ⌈time / hop⌉, bands)

    Args:
        rate: Samples per second; 10 ms must be a whole number of samples.
        bands: Number of mel bands, from 20 Hz to 8,000 Hz or half the rate.
        normalize: Whether the output is normalised; otherwise it is y, and 0 in padding.

    Raises:
        ValueError: `bands` is not positive, or `rate` is not one that Audio takes.

    Source: Tensor2Tensor's speech front end. Departs: no dither, pre-emphasis or deltas; one mean and one variance for all
    bands, of real frames only.
    """

    def __init__(self, rate: int = 16_000, bands: int = 80, normalize: bool = True, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.rate = rate
        self.bands = positive("bands", bands)
        self.normalize = normalize
        self.hop = Audio(rate, milliseconds=10).values_per_position
        self._length = rate * WINDOW_MILLISECONDS // 1000
        self._fft_length = 1 << (self._length - 1).bit_length()
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._length) / self._length)).astype("float32")
        self._mel = mel_weights(self._fft_length // 2 + 1, rate, bands)

    def call(self, samples: Tensor, segments: Tensor | None = None) -> Tensor:
        x = ops.cast(samples, "float32")
        if segments is not None:
            x = x * ops.cast(ops.greater(segments, 0), "float32")
        real, imaginary = ops.rfft(self._frames(x) * self._window, self._fft_length)
        magnitudes = ops.sqrt(ops.square(real) + ops.square(imaginary))
        y = ops.log(ops.maximum(ops.matmul(magnitudes, self._mel), FLOOR))
        is_real = ops.cast(ops.expand_dims(ops.greater(self.segments(samples, segments), 0), -1), "float32")
        return ops.cast((self._normalized(y, is_real) if self.normalize else y) * is_real, self.compute_dtype)

    def segments(self, value: Tensor, segments: Tensor | None = None) -> Tensor:
        """Returns the segment id of each frame (batch, frames): that of its first sample."""
        return (ops.ones_like(value, dtype="int32") if segments is None else segments)[:, :: self.hop]

    def compute_output_shape(self, samples_shape: Any, segments_shape: Any = None) -> tuple[Any, ...]:
        time = samples_shape[1]
        return (samples_shape[0], None if time is None else -(-time // self.hop), self.bands)

    def _frames(self, x: Tensor) -> Tensor:
        """Cuts samples (batch, time) into frames (batch, frames, window samples), padded with silence after the end."""
        batch, time = ops.shape(x)
        count = -(-time // self.hop)
        x = ops.pad(x, [[0, 0], [0, (count + 2) * self.hop - time]])
        hops = ops.reshape(x, (batch, count + 2, self.hop))
        return ops.concatenate([hops[:, :-2], hops[:, 1:-1], hops[:, 2:]], axis=-1)[..., : self._length]

    def _normalized(self, y: Tensor, is_real: Tensor) -> Tensor:
        count = self.bands * ops.maximum(ops.sum(is_real, axis=1, keepdims=True), 1.0)
        centred = y - ops.sum(y * is_real, axis=(1, 2), keepdims=True) / count
        variance = ops.sum(ops.square(centred) * is_real, axis=(1, 2), keepdims=True) / count
        return centred * ops.rsqrt(variance + EPSILON)


def mel_weights(bins: int, rate: int, bands: int, lowest: float = LOWEST, highest: float = HIGHEST) -> np.ndarray:
    """Returns the weights of the triangular filters that sum the bins of a spectrum into mel bands.

    Edges lie evenly on the mel scale, 1127 ln(1 + f / 700); triangle k rises from edge k to edge k + 1 and falls to edge
    k + 2, linearly in mel. Bin 0, the mean of the samples, has weight 0 in every band.

    Shapes:
        → (bins, bands) float32

    Args:
        bins: Number of bins of the spectrum, from 0 Hz to half the rate.
        rate: Samples per second.
        bands: Number of triangular filters.
        lowest: First edge, in Hz.
        highest: Last edge, in Hz; at most half the rate is used.

    Source: TensorFlow's `linear_to_mel_weight_matrix`, with HTK's formula of the mel scale.
    """
    mel = _mel(np.linspace(0, rate / 2, bins))[:, None]
    edges = np.linspace(_mel(lowest), _mel(min(highest, rate / 2)), bands + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((mel - left) / (centre - left), (right - mel) / (right - centre)))
    weights[0] = 0
    return weights.astype("float32")


def _mel(hertz: Any) -> Any:
    return 1127 * np.log1p(np.asarray(hertz) / 700)
