"""A residual stack of sub-separable convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import Cache, ConvolutionalAttention, Memory, SubseparableStack

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 12)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")
MEMORY = Memory(RANDOM.normal(size=(2, 5, 12)).astype("float32"), np.array([[1, 1, 2, 2, 2], [1, 1, 1, 0, 0]], "int32"))
SIZES = {"num_layers": 2, "kernel_sizes": [2, 3, 2, 3]}


@pytest.mark.skipif(ON_JAX, reason="SliceNet has it, and golden numbers on JAX")
def test_it_is_a_layer_like_any():
    make = lambda **o: SubseparableStack(12, 1, [2, 3, 2, 3], dropout=0.4, **o)  # noqa: E731
    layer = check_layer(make, X, PACKED, shape=(2, 7, 12), has_dropout=True)
    assert layer.count_params() == 2 * (2 * 12 + 3 * 16 + 3 * 12 + 2 * 36 + 2 * 24)


def test_the_order_of_the_sums():
    layer = SubseparableStack(12, **SIZES, attention=ConvolutionalAttention(12, 2))
    found = numbers(layer(X, PACKED, memory=MEMORY))
    x = X
    for lower, upper, attention in zip(layer.lower, layer.upper, layer.attentions, strict=True):
        y = numbers(lower(x, PACKED))
        x = x + numbers(upper(x + y, PACKED)) + y
        x = x + numbers(attention(x, PACKED, memory=MEMORY))
    np.testing.assert_allclose(found, x, atol=1e-4)


@pytest.mark.parametrize("padding", ["causal", "same"])
def test_packed_is_padded(padding):
    layer = SubseparableStack(12, **SIZES, padding=padding)
    found = numbers(layer(X, PACKED))
    np.testing.assert_allclose(found[:1, :4], numbers(layer(X[:1, :4])), atol=1e-5)
    np.testing.assert_allclose(found[:1, 4:6], numbers(layer(X[:1, 4:6])), atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = SubseparableStack(12, **SIZES, attention=ConvolutionalAttention(12, 2))
    memory = Memory(MEMORY.states, (MEMORY.segments == 1).astype("int32"))
    whole = numbers(layer(X, memory=memory))
    cache = Cache(batch=2, length=7)
    layer.start(memory, cache.child("it"))
    for time in range(7):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(X[:, time : time + 1], cache=cache.child("it")))
        np.testing.assert_allclose(step, whole[:, time : time + 1], atol=1e-4)


def test_refusals():
    for options, told in [
        ({"num_layers": 0}, "num_layers: 0 is not positive"),
        ({"kernel_sizes": [3, 7]}, r"kernel_sizes: \[3, 7\] are not four"),
        ({"parts": [3]}, r"parts: \[3\] are not two"),
        ({"parts": [5, 2]}, "parts: 5 parts do not divide filters, 12"),
        ({"attention": 3}, "attention: 3 is no layer"),
    ]:
        with pytest.raises(ValueError, match=told):
            SubseparableStack(12, **options)
    with pytest.raises(ValueError, match="memory: this stack has no attention"):
        SubseparableStack(12)(X, memory=MEMORY)
