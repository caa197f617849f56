"""Recordings to one vector per so many milliseconds; padding changes nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, compiled, forward, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from kt2t.features import Audio
from kt2t.layers import AudioEmbedding
from kt2t.layers.spectrogram import LogMelSpectrogram

RNG = np.random.default_rng(0)
SOUND = RNG.normal(0, 0.1, (2, 1000)).astype("float32")
SEGMENTS = np.array([[1] * 1000, [1] * 330 + [0] * 670], "int32")


def make(milliseconds=40, **options):
    return AudioEmbedding(6, 8000, milliseconds, bands=11, channels=3, **options)


def test_it_is_a_layer_like_any():
    check_layer(
        lambda **k: make(**k),
        SOUND,
        SEGMENTS,
        shape=(2, 4, 6),
        weights={
            "convolutions.0.kernel": (3, 3, 1, 3),
            "convolutions.1.kernel": (3, 3, 3, 3),
            "dense.kernel": (9, 6),
            "norm.scale": (6,),
            "norm.shift": (6,),
            "norms.0.scale": (3,),
            "norms.0.shift": (3,),
            "norms.1.scale": (3,),
            "norms.1.shift": (3,),
        },
        bfloat16=False,
        atol=1e-4,
    )


def normed(x):
    return np.maximum((x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6), 0)


def by_loop(frames, layer):
    """The convolutions of one recording (frames, bands), with nothing but zeros around it."""
    x = frames[..., None]
    for convolution in layer.convolutions:
        kernel = numbers(convolution.kernel)
        around = np.pad(x, [(1, 1), (1, 1), (0, 0)])
        y = np.zeros((-(-len(x) // 2), -(-x.shape[1] // 2), kernel.shape[-1]))
        for t, f in np.ndindex(*y.shape[:2]):
            y[t, f] = np.tensordot(around[2 * t : 2 * t + 3, 2 * f : 2 * f + 3], kernel, 3)
        x = normed(y)
    return normed(x.reshape(len(x), -1) @ numbers(layer.dense.kernel))


@pytest.mark.parametrize("milliseconds", [10, 40])
def test_the_convolutions_are_the_formula_for_every_row_alone(milliseconds):
    layer = make(milliseconds)
    layer.build((None, None))
    found = numbers(compiled(layer)(SOUND, SEGMENTS))
    spectrogram = compiled(LogMelSpectrogram(8000, 11))
    for row, length in ((0, 1000), (1, 330)):
        positions = int(Audio(8000, milliseconds).positions(length))
        expected = by_loop(numbers(spectrogram(SOUND[row : row + 1, :length]))[0], layer)
        assert len(expected) == positions
        np.testing.assert_allclose(found[row, :positions], expected, atol=2e-3)
        assert (found[row, positions:] == 0).all()


def test_what_stands_in_padding_and_how_much_of_it_changes_no_real_position():
    layer = make()
    layer.build((None, None))
    layer.norms[0].shift.assign(
        [0.5, 1.0, -0.5]
    )  # without zeroing, padding would now be seen by the second convolution
    noisy = SOUND.copy()
    noisy[1, 330:] = 7.0
    run = compiled(layer)
    found = numbers(run(noisy, SEGMENTS))
    alone = numbers(run(SOUND[1:, :330]))
    wider = numbers(run(np.pad(noisy, [(0, 0), (0, 501)]), np.pad(SEGMENTS, [(0, 0), (0, 501)])))
    np.testing.assert_allclose(found[1, :2], alone[0], atol=1e-5)
    np.testing.assert_allclose(wider[:, :4], found, atol=1e-5)
    assert alone.shape == (1, 2, 6) and np.abs(alone).min(1).max() > 0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles each length for itself")
def test_one_graph_takes_any_length():
    import tensorflow as tf

    layer = make()
    layer.build((None, None))
    open_ = [tf.TensorSpec((None, None), "float32"), tf.TensorSpec((None, None), "int32")]
    traced = tf.function(lambda *x: (layer(*x), layer.segments(*x)), input_signature=open_)
    for width in (1000, 641, 1):
        found, segments = traced(SOUND[:, :width], SEGMENTS[:, :width])
        np.testing.assert_allclose(found, numbers(forward(layer)(SOUND[:, :width], SEGMENTS[:, :width])), atol=1e-5)
        assert segments.shape == found.shape[:2]


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([8000, 16_000, 22_100]),
    milliseconds=st.sampled_from([10, 20, 40, 80]),
    lengths=st.lists(st.integers(0, 5000), min_size=1, max_size=4),
    more=st.integers(0, 900),
)
def test_as_many_positions_are_real_as_the_feature_says(rate, milliseconds, lengths, more):
    feature, layer = Audio(rate, milliseconds), AudioEmbedding(4, rate, milliseconds)
    width = max(max(lengths) + more, 1)
    segments = (np.arange(width) < np.array(lengths)[:, None]).astype("int32")
    found = numbers(layer.segments(np.zeros(segments.shape, "float32"), segments))
    expected = feature.positions(lengths)
    assert found.shape == (len(lengths), feature.positions(width))
    np.testing.assert_array_equal(found, np.arange(found.shape[1]) < expected[:, None])
    assert layer.compute_output_shape(segments.shape) == (*found.shape, 4)


def test_bfloat16_is_near_and_the_weights_are_float32():
    outputs = []
    for dtype in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(1)
        layer = make(dtype=dtype)
        layer.build((None, None))
        outputs.append(compiled(layer)(SOUND, SEGMENTS))
        assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert keras.backend.standardize_dtype(outputs[1].dtype) == "bfloat16"
    np.testing.assert_allclose(numbers(keras.ops.cast(outputs[1], "float32")), numbers(outputs[0]), atol=0.2)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="milliseconds: 30 cannot make a position"):
        AudioEmbedding(6, 8000, 30)
    assert [AudioEmbedding(dim).channels for dim in (1, 64, 1024)] == [1, 32, 128]
    with pytest.raises(ValueError, match="channels: 0"):
        AudioEmbedding(6, channels=0)
