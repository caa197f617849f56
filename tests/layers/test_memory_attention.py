"""What both kinds of attention of recurrent decoders share."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers

from kt2t.layers import LuongAttention, MemoryAttention, capture

RANDOM = np.random.default_rng(0)
QUERY = RANDOM.normal(size=(2, 3, 4)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 5, 6)).astype("float32")


def test_the_base_alone_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="MemoryAttention must define _build_scores"):
        MemoryAttention()(QUERY, MEMORY)


def test_what_is_hidden_has_no_influence_and_a_capture_sees_the_weights():
    layer = LuongAttention(2, 3)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    found = numbers(forward(layer)(QUERY, MEMORY, mask))
    assert found.shape == (2, 3, 6)
    np.testing.assert_allclose(found[:1], numbers(forward(layer)(QUERY[:1], MEMORY[:1, :3])), atol=1e-6)
    with capture("attention") as shown:
        layer(QUERY, MEMORY, mask)
    (weights,) = shown.values()
    assert weights.shape == (2, 1, 3, 5)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert not weights[0, ..., 3:].any()


def test_an_activation_is_that_of_the_output():
    plain, bent = LuongAttention(), LuongAttention(activation="tanh")
    found = numbers(plain(QUERY, MEMORY))
    bent(QUERY, MEMORY)
    for one, other in zip(bent.weights, plain.weights, strict=True):
        one.assign(other)
    np.testing.assert_allclose(numbers(bent(QUERY, MEMORY)), np.tanh(found), atol=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="num_heads: 0 is not positive"):
        MemoryAttention(0)
    with pytest.raises(ValueError, match="attention_dim: 0 is not positive"):
        MemoryAttention(1, 0)
    with pytest.raises(ValueError, match="activation: Keras has no 'bent'"):
        MemoryAttention(activation="bent")
