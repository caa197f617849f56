"""Log-mel spectrograms, against a plain discrete Fourier transform in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, compiled, numbers

from kt2t.layers import LogMelSpectrogram, mel_weights

RNG = np.random.default_rng(0)


def chirp(seconds, rate):
    """A tone that rises from 100 Hz to 3,000 Hz, with a little noise."""
    t = np.arange(int(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * (100 * t + (2900 / seconds) * t**2 / 2))
    return (tone + 0.01 * RNG.normal(size=t.shape)).astype("float32")


def triangles(bins, rate, bands):
    """Band by band and bin by bin, from the definition."""

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges = np.linspace(mel(20), mel(min(8000, rate / 2)), bands + 2)
    weights = np.zeros((bins, bands))
    for k in range(1, bins):
        place = mel(k * rate / 2 / (bins - 1))
        for band in range(bands):
            low, centre, high = edges[band : band + 3]
            if low < place <= centre:
                weights[k, band] = (place - low) / (centre - low)
            elif centre < place < high:
                weights[k, band] = (high - place) / (high - centre)
    return weights


def by_formula(samples, rate, bands):
    """(frames, bands) log-mel magnitudes of one recording."""
    hop, window = rate // 100, rate // 40
    size = 2 ** int(np.ceil(np.log2(window)))
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    rows = []
    for begin in range(0, len(samples), hop):
        frame = np.zeros(size)
        piece = samples[begin : begin + window].astype("float64")
        frame[: len(piece)] = piece * hann[: len(piece)]
        k, n = np.arange(size // 2 + 1)[:, None], np.arange(size)[None]
        rows.append(np.abs((frame * np.exp(-2j * np.pi * k * n / size)).sum(1)))
    return np.log(np.maximum(np.stack(rows) @ triangles(size // 2 + 1, rate, bands), 1e-3))


@pytest.mark.parametrize(("rate", "seconds"), [(16_000, 0.123), (8000, 0.1), (10_000, 0.0501)])
def test_it_is_the_formula(rate, seconds):
    samples = chirp(seconds, rate)
    found = numbers(compiled(LogMelSpectrogram(rate, 40, normalize=False))(samples[None]))[0]
    expected = by_formula(samples, rate, 40)
    assert found.shape == expected.shape == (-(-len(samples) // (rate // 100)), 40)
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares with TensorFlow's own")
def test_the_mel_bands_are_tensorflows():
    import tensorflow as tf

    theirs = tf.signal.linear_to_mel_weight_matrix(80, 257, 16_000, 20.0, 8000.0)
    np.testing.assert_allclose(mel_weights(257, 16_000, 80), np.asarray(theirs), atol=2e-5)


def test_normalised_each_recording_has_mean_0_and_variance_1_over_its_real_frames():
    samples = np.zeros((2, 1600), "float32")
    samples[0], samples[1, :500] = chirp(0.2, 8000), 0.1 * chirp(0.0625, 8000)
    segments = np.array([[1] * 1600, [1] * 500 + [0] * 1100], "int32")
    layer = LogMelSpectrogram(8000, 40)
    found = numbers(compiled(layer)(samples, segments))
    assert numbers(layer.segments(samples, segments)).sum(1).tolist() == [20, 7]
    assert (found[1, 7:] == 0).all()
    for row, frames in ((0, 20), (1, 7)):
        expected = by_formula(samples[row, : frames * 80], 8000, 40)
        expected = (expected - expected.mean()) / np.sqrt(expected.var() + 1e-3)
        np.testing.assert_allclose(found[row, :frames], expected, atol=2e-3)


def test_silence_and_a_row_of_padding_are_finite():
    silence, segments = np.zeros((2, 200), "float32"), np.array([[1] * 200, [0] * 200], "int32")
    found = numbers(compiled(LogMelSpectrogram(8000, 40))(silence, segments))
    assert np.abs(found[0]).max() < 1e-3 and (found[1] == 0).all()


def test_it_is_a_layer_like_any():
    samples = chirp(0.05, 8000)[None]
    check_layer(
        lambda **k: LogMelSpectrogram(8000, 20, **k),
        samples,
        np.ones((1, 400), "int32"),
        shape=(1, 5, 20),
        weights={},
        bfloat16=False,
        atol=1e-4,
    )


def test_under_mixed_bfloat16_the_samples_keep_all_their_digits():
    samples = chirp(0.05, 8000)[None] * 1e-2 + 0.5
    half = compiled(LogMelSpectrogram(8000, 20, normalize=False, dtype="mixed_bfloat16"))(samples)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    expected = by_formula(samples[0], 8000, 20)
    np.testing.assert_allclose(numbers(keras.ops.cast(half, "float32"))[0], expected, atol=0.04)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="bands: 0"):
        LogMelSpectrogram(8000, 0)
    with pytest.raises(ValueError, match="rate: 22050 has no whole number of samples in 10 ms"):
        LogMelSpectrogram(22_050)
