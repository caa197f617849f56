"""Keras's implicit masks through every layer: a row gives the same answer in a batch as alone."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from harness import ON_JAX, forward, numbers
from keras import ops

from kt2t import layers
from kt2t.ops.keras_masks import implicit_mask

LENGTHS = (5, 3, 1, 4, 2, 5, 3, 2)  # as many rows as heads: a mask (batch, time) read as (batch, query, key) fits by chance
HEADS, WIDTH = 8, 16
RANDOM = np.random.default_rng(0)
ROWS = [RANDOM.integers(1, 50, size=length).astype("int32") for length in LENGTHS]

SEQUENCES = {
    "attention": lambda: layers.Attention(HEADS),
    "relative": lambda: layers.RelativeAttention(HEADS, max_distance=3),
    "residual, pre": lambda: layers.Residual(layers.Attention(HEADS)),
    "residual, post": lambda: layers.Residual(layers.Attention(HEADS), norm="post"),
    "block": lambda: layers.TransformerBlock(layers.Attention(HEADS), layers.FeedForward(8)),
    "stack": lambda: layers.stack_of(2, WIDTH, 8, HEADS),
    "causal stack": lambda: layers.stack_of(1, WIDTH, 8, HEADS, causal=True, count_from="end"),
    "lstm": lambda: layers.LSTM(4),
    "lstm stack": lambda: layers.LSTMStack(2, 4, reverse=True),
    "sinusoids": lambda: layers.SinusoidalPositions(),
    "learned positions": lambda: layers.LearnedPositions(6),
    "batch norm": lambda: layers.BatchNorm(),
    "tags": lambda: layers.TagsHead(3),
    "text": lambda: layers.TextHead(7),
}
BETWEEN = {
    "layer norm": lambda: layers.LayerNorm(),
    "l2 norm": lambda: layers.L2Norm(),
    "noam norm": lambda: layers.NoamNorm(),
    "dropout": lambda: layers.Dropout(0.5),
    "tap": lambda: layers.Tap(),
    "no positions": lambda: layers.NoPositions(),
    "feed forward": lambda: layers.FeedForward(8),
}
POOLING = {
    "label": lambda: layers.LabelHead(3),
    "several labels": lambda: layers.MultiLabelHead(3),
    "numbers": lambda: layers.NumbersHead(2),
}


def padded(side):
    ids = np.zeros((len(ROWS), max(LENGTHS)), "int32")
    for row, values in zip(ids, ROWS, strict=True):
        row[slice(len(values)) if side == "right" else slice(len(row) - len(values), None)] = values
    return ids


def embedding(kind):
    return keras.layers.Embedding(50, WIDTH, mask_zero=True) if kind == "keras" else layers.TokenEmbedding(50, WIDTH, True)


@pytest.fixture(autouse=True)
def no_layer_loses_the_mask():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*destroy the mask.*")
        yield


def check_rows(call, side, reduces=False):
    """A row of a padded batch gives what it gives alone."""
    whole = numbers(call(padded(side)))
    for index in (1,) if ON_JAX else (0, 1):  # JAX compiles each further length anew
        found, row = whole[index], ROWS[index]
        alone = numbers(call(row[None]))[0]
        if not reduces:
            found = found[: len(row)] if side == "right" else found[-len(row) :]
        np.testing.assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_row_is_the_same_in_a_batch_as_alone(name, side):
    first, second = embedding("ours"), SEQUENCES[name]()
    check_rows(lambda ids: second(first(ids)), side)
    np.testing.assert_array_equal(numbers(implicit_mask(second(first(padded(side))))), padded(side) != 0)


@pytest.mark.parametrize("name", POOLING)
def test_a_layer_that_reduces_time_leaves_padding_out_and_swallows_the_mask(name):
    first, second = embedding("ours"), POOLING[name]()
    check_rows(lambda ids: second(first(ids)), "right", reduces=True)
    assert implicit_mask(second(first(padded("right")))) is None


@pytest.mark.parametrize("name", BETWEEN)
def test_layers_between_pass_the_mask_on(name):
    parts = [embedding("keras"), BETWEEN[name](), layers.Attention(HEADS)]

    def call(ids):
        x = ids
        for part in parts:
            x = part(x)
        return x

    check_rows(call, "right")


@pytest.mark.parametrize("kind", ["keras", "ours"])
def test_a_functional_model_of_keras_takes_our_layers(kind):
    ids = keras.Input((None,), dtype="int32")
    x = embedding(kind)(ids)
    x = layers.Attention(HEADS)(x)
    x = layers.Residual(layers.FeedForward(8))(x)
    x = layers.stack_of(1, WIDTH, 8, HEADS)(x)
    x = layers.LSTM(4)(x)
    model = keras.Model(ids, [x, layers.LabelHead(3)(x)])
    check_rows(lambda given: model(given)[0], "right")
    check_rows(lambda given: model(given)[1], "right", reduces=True)


def test_a_mask_that_is_given_hides_padding_as_an_implicit_one_does():
    x = RANDOM.normal(size=(8, 5, WIDTH)).astype("float32")
    real = padded("right") != 0
    makers = SEQUENCES | POOLING
    for name in ("attention", "relative", "block", "stack", "lstm", "lstm stack", "label", "several labels", "numbers"):
        layer = makers[name]()
        first, other = (numbers(forward(layer)(given, mask=real)) for given in (x, np.where(real[..., None], x, 1e3)))
        shown = real if first.ndim == 3 else slice(None)
        np.testing.assert_allclose(first[shown], other[shown], atol=1e-5, err_msg=name)


def test_the_mask_of_a_memory_hides_its_padding():
    first, attention = embedding("ours"), layers.Attention(HEADS)
    block = layers.TransformerBlock(layers.Attention(HEADS), layers.FeedForward(8), layers.Attention(HEADS))
    check_rows(lambda ids: attention(ops.ones((len(ids), 2, WIDTH)), memory=first(ids)), "right", reduces=True)
    check_rows(lambda ids: block(first(ids), memory=first(ids)), "right")


def test_an_explicit_mask_wins_and_is_not_attached_to_the_output():
    x = embedding("ours")(padded("right"))
    layer = layers.Attention(HEADS)
    causal = np.tril(np.ones((1, 5, 5), bool))
    found = layer(x, mask=causal)
    np.testing.assert_array_equal(numbers(found), numbers(forward(layer)(ops.convert_to_tensor(numbers(x)), mask=causal)))
    np.testing.assert_array_equal(numbers(implicit_mask(found)), padded("right") != 0)


def test_segments_win():
    x, segments = embedding("ours")(padded("right")), np.array([[1, 1, 2, 2, 2]] * 8, "int32")
    for make in (SEQUENCES["stack"], SEQUENCES["lstm"], POOLING["label"]):
        layer = make()
        plain = layer(ops.convert_to_tensor(numbers(x)), segments)
        np.testing.assert_array_equal(numbers(forward(layer)(x, segments)), numbers(plain))


def test_batch_norm_counts_only_what_the_mask_shows():
    x = RANDOM.normal(size=(8, 5, 3)).astype("float32")
    real = padded("right") != 0
    layer = layers.BatchNorm(momentum=0.0)
    layer(x, mask=real, training=True)
    np.testing.assert_allclose(numbers(layer.moving_mean), x[real].mean(0), atol=1e-6)


def test_without_mask_zero_no_mask_is_made():
    assert implicit_mask(layers.TokenEmbedding(50, WIDTH)(padded("right"))) is None
