"""Pictures and spectrograms as feature maps."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, compiled, forward, numbers

from kt2t.features import Audio, Image
from kt2t.layers import FeatureMapEmbedding, LogMelSpectrogram, embed

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (2, 5, 4, 3)).astype("uint8")
SOUND = RNG.normal(0, 0.1, (2, 500)).astype("float32")
SEGMENTS = np.array([[1] * 500, [1] * 170 + [0] * 330], "int32")


def convolved(x, kernel):
    """The "same" convolution of (height, width, channels) with an odd kernel, from its definition."""
    side = kernel.shape[0] // 2
    around = np.pad(x, [(side, side), (side, side), (0, 0)])
    y = np.zeros((*x.shape[:2], kernel.shape[-1]))
    for row, column in np.ndindex(*x.shape[:2]):
        window = around[row : row + kernel.shape[0], column : column + kernel.shape[0]]
        y[row, column] = np.tensordot(window, kernel, 3)
    return y


@pytest.mark.parametrize("side", [1, 3])
def test_a_picture_is_scaled_and_convolved(side):
    layer = FeatureMapEmbedding(6, kernel_size=side)
    found = numbers(forward(layer)(PIXELS))
    for row in range(2):
        expected = convolved(PIXELS[row] / 127.5 - 1, numbers(layer.convolution.kernel))
        np.testing.assert_allclose(found[row], expected, atol=1e-5)
    assert numbers(layer.segments(PIXELS)).shape == (2, 5, 4) and (numbers(layer.segments(PIXELS)) == 1).all()


def test_it_is_a_layer_like_any():
    check_layer(
        lambda **k: embed(Image(5, 4), 6, as_map=True, **k),
        PIXELS,
        shape=(2, 5, 4, 6),
        weights={"convolution.kernel": (3, 3, 3, 6), "convolution.bias": (6,)},
    )


def test_with_a_spectrogram_it_is_one_too():
    check_layer(
        lambda **k: FeatureMapEmbedding(4, LogMelSpectrogram(8000, 10), **k),
        SOUND,
        SEGMENTS,
        shape=(2, 7, 10, 4),
        weights={"convolution.kernel": (3, 3, 1, 4), "convolution.bias": (4,)},
        bfloat16=False,
        atol=1e-4,
    )


def test_a_recording_is_a_map_of_frames_and_bands_and_padding_is_zero():
    layer = FeatureMapEmbedding(4, LogMelSpectrogram(8000, 10))
    layer.build((None, None))
    layer.convolution.bias.assign([1.0, 2.0, 3.0, 4.0])
    found, segments = numbers(compiled(layer)(SOUND, SEGMENTS)), numbers(layer.segments(SOUND, SEGMENTS))
    frames = Audio(8000, 10).positions([500, 170]).tolist()
    assert segments.shape == found.shape[:3] and (segments.sum((1, 2)) == np.multiply(frames, 10)).all()
    assert (found[segments == 0] == 0).all()
    spectrogram = compiled(LogMelSpectrogram(8000, 10))
    for row, length in ((0, 500), (1, 170)):
        spectrum = numbers(spectrogram(SOUND[row : row + 1, :length]))[0]
        expected = convolved(spectrum[..., None], numbers(layer.convolution.kernel)) + [1, 2, 3, 4]
        np.testing.assert_allclose(found[row, : frames[row]], expected, atol=2e-3)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="kernel_size: 0"):
        FeatureMapEmbedding(6, kernel_size=0)
