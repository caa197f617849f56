"""Logits over a vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import TextHead

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 2, 0], [1, 0, 0, 0]], "int32")


def test_a_text_head_has_no_bias_and_starts_like_an_embedding():
    layer = check_layer(lambda **k: TextHead(7, **k), HIDDEN, SEGMENTS, shape=(2, 4, 7), weights={"table": (7, 6)})
    np.testing.assert_allclose(numbers(forward(layer)(HIDDEN)), HIDDEN @ numbers(layer.table).T, atol=1e-5)
    wide = TextHead(1000)
    wide.build((None, None, 64))
    assert numbers(wide.table).std() == pytest.approx(1 / 8, rel=0.02)


def test_the_answer_is_the_likeliest_id_and_padding_where_there_is_none():
    logits = np.random.default_rng(1).normal(size=(2, 4, 7)).astype("float32")
    best = logits.argmax(-1)
    np.testing.assert_array_equal(numbers(TextHead(7).answer(logits)), best)
    np.testing.assert_array_equal(numbers(TextHead(7).answer(logits, SEGMENTS)), best * (SEGMENTS > 0))


def test_a_vocabulary_is_not_empty():
    with pytest.raises(ValueError, match="vocabulary_size: 0"):
        TextHead(0)
