"""Look-up and logits with one table."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, forward, gradients, numbers

from kt2t.layers import TokenEmbedding

IDS = np.array([[3, 1, 0, 3], [2, 0, 0, 4]], "int32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: TokenEmbedding(5, 8, **k), IDS, shape=(2, 4, 8), weights={"table": (5, 8)})


def test_its_segments_are_those_of_the_ids():
    segments = (IDS > 0).astype("int32")
    layer = TokenEmbedding(5, 8)
    np.testing.assert_array_equal(numbers(layer.segments(IDS, segments)), segments)
    assert (numbers(layer.segments(IDS)) == 1).all()


def test_rows_are_scaled_and_padding_is_exactly_zero():
    layer = TokenEmbedding(5, 8)
    out = numbers(forward(layer)(IDS))
    table = numbers(layer.table)
    assert np.abs(table[0]).max() > 0
    for place, token in np.ndenumerate(IDS):
        expected = np.zeros(8) if token == 0 else table[token] * np.sqrt(8)
        np.testing.assert_allclose(out[place], expected, rtol=1e-6)


def test_logits_use_the_same_table_without_the_scale():
    layer = TokenEmbedding(5, 8)
    layer.build()
    hidden = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    np.testing.assert_allclose(numbers(layer.logits(hidden)), hidden @ numbers(layer.table).T, atol=1e-5)


def test_logits_of_bfloat16_are_bfloat16():
    layer = TokenEmbedding(5, 8, dtype="mixed_bfloat16")
    layer.build()
    assert keras.backend.standardize_dtype(layer.logits(np.ones((2, 8), "float32")).dtype) == "bfloat16"


def test_the_table_starts_normal_with_deviation_one_over_root_of_hidden_dim():
    layer = TokenEmbedding(400, 64)
    layer.build()
    table = numbers(layer.table)
    assert table.std() == pytest.approx(1 / 8, rel=0.03) and np.abs(table).max() > 3.2 / 8


def test_the_gradient_goes_to_the_rows_that_were_read():
    layer = TokenEmbedding(5, 8)
    layer(IDS)
    touched = np.abs(gradients(layer, (IDS,), {})["table"]).max(-1) > 0
    np.testing.assert_array_equal(touched, [False, True, True, True, True])


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="vocabulary_size: 0"):
        TokenEmbedding(0, 8)
    with pytest.raises(ValueError, match="hidden_dim: -1"):
        TokenEmbedding(5, -1)
