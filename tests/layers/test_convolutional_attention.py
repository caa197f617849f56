"""Attention with queries from convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import Cache, ConvolutionalAttention, Memory
from kt2t.ops.positions import sinusoids

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 12)).astype("float32")
STATES = RANDOM.normal(size=(2, 5, 12)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")
SOURCE = np.array([[1, 1, 2, 2, 2], [1, 1, 1, 0, 0]], "int32")


def layer_of(**options):
    return ConvolutionalAttention(12, 2, parts=[3, 2], kernel_size=3, **options)


@pytest.mark.skipif(ON_JAX, reason="SliceNet has it, and golden numbers on JAX")
def test_it_is_a_layer_like_any():
    check_layer(layer_of, X, PACKED, shape=(2, 7, 12), memory=Memory(STATES, SOURCE))


@pytest.mark.skipif(
    ON_JAX, reason="golden numbers on JAX have the same code; here every operation would be compiled alone"
)
def test_positions_convolutions_and_two_attentions_in_their_order():
    layer = layer_of()
    one = np.ones((2, 7), "int32")
    found = numbers(layer(X, one, memory=Memory(STATES, np.ones((2, 5), "int32"))))
    signal = numbers(sinusoids(np.arange(7)[None], 12))
    q = numbers(layer.block(X + signal, one))
    y = numbers(layer.attention(q, mask=np.tril(np.ones((1, 7, 7), bool))))
    np.testing.assert_allclose(found, numbers(layer.cross_attention(y, memory=STATES)), atol=1e-5)
    assert [step.dilation for step in layer.block.convolutions] == [1, 4]


@pytest.mark.skipif(
    ON_JAX, reason="golden numbers on JAX have the same code; here every operation would be compiled alone"
)
def test_packed_is_padded():
    layer = layer_of()
    found = numbers(layer(X, PACKED, memory=Memory(STATES, SOURCE)))
    for here, there in ((slice(0, 4), slice(0, 2)), (slice(4, 6), slice(2, 5))):
        states = STATES[:1, there]
        alone = numbers(layer(X[:1, here], memory=Memory(states, np.ones(states.shape[:2], "int32"))))
        np.testing.assert_allclose(found[:1, here], alone, atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = layer_of()
    memory = Memory(STATES, np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32"))
    whole = numbers(layer(X, memory=memory))
    cache = Cache(batch=2, length=7, beams=1)
    layer.start(memory, cache.child("it"))
    for time in range(7):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(X[:, time : time + 1], cache=cache.child("it")))
        np.testing.assert_allclose(step, whole[:, time : time + 1], atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="memory: ConvolutionalAttention attends to a memory, and there is none"):
        layer_of()(X)
    with pytest.raises(ValueError, match="num_heads: 5 heads do not divide key_dim 12"):
        ConvolutionalAttention(12, 5)
    with pytest.raises(ValueError, match="parts: 5 parts do not divide filters, 12"):
        ConvolutionalAttention(12, 2, parts=[5, 2])
