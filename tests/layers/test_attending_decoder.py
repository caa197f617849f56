"""A decoder that reads what it attended to beside its sequence."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import (
    AttendingDecoder,
    Cache,
    ConvolutionalAttention,
    DilatedConvolution,
    Memory,
)

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 5, 12)).astype("float32")
PACKED = np.array([[1, 1, 1, 2, 0], [1] * 5], "int32")
MEMORY = Memory(RANDOM.normal(size=(2, 4, 12)).astype("float32"), np.array([[1, 1, 2, 2], [1, 1, 1, 0]], "int32"))


def decoder(**options):
    attention = ConvolutionalAttention(12, 2, parts=[1, 1])
    return AttendingDecoder(attention, DilatedConvolution(12, 2), attention, **options)


@pytest.mark.skipif(ON_JAX, reason="SliceNet has it, and golden numbers on JAX")
def test_it_is_a_layer_like_any():
    check_layer(decoder, X, PACKED, shape=(2, 5, 12), memory=MEMORY)


@pytest.mark.skipif(
    ON_JAX, reason="golden numbers on JAX have the same code; here every operation would be compiled alone"
)
def test_the_first_attention_is_read_beside_the_sequence():
    layer = decoder()
    found = numbers(layer(X, PACKED, memory=MEMORY))
    beside = numbers(layer.attention(X, PACKED, memory=MEMORY))
    lower = numbers(layer.lower(np.concatenate([beside, X], axis=2), PACKED))
    np.testing.assert_allclose(found, numbers(layer.upper(lower, PACKED, memory=MEMORY)), atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = decoder()
    memory = Memory(MEMORY.states, (MEMORY.segments == 1).astype("int32"))
    whole = numbers(layer(X, memory=memory))
    cache = Cache(batch=2, length=5)
    layer.start(memory, cache.child("it"))
    for time in range(5):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(X[:, time : time + 1], cache=cache.child("it")))
        np.testing.assert_allclose(step, whole[:, time : time + 1], atol=1e-4)


def test_refusals():
    with pytest.raises(ValueError, match="lower: 3 is no layer"):
        AttendingDecoder(ConvolutionalAttention(12, 2), 3, DilatedConvolution(12))
