"""ReLU, convolution and norm, again and again."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import Attention, Cache, ConvolutionBlock, DilatedConvolution, Memory, SeparableConvolution

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")


def block_of(padding="causal", **options):
    steps = [DilatedConvolution(6, 3, 1, padding), SeparableConvolution(5, 2, 2, padding)]
    return ConvolutionBlock(steps, **options)


@pytest.mark.skipif(ON_JAX, reason="DilatedStack has the same code, in a check on JAX")
def test_it_is_a_layer_like_any():
    check_layer(block_of, X, PACKED, shape=(2, 7, 5))


def test_each_convolution_reads_what_the_one_before_made():
    layer = block_of("same")
    found = numbers(layer(X, PACKED))
    y = X
    for convolution in layer.convolutions:
        y = numbers(convolution(np.maximum(y, 0), PACKED))
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(found, y, atol=1e-4)


def test_one_position_after_another_is_all_at_once():
    layer = block_of()
    whole = numbers(layer(X))
    cache = Cache(batch=2, length=7, beams=3)
    layer.start(None, cache.child("it"))
    for time in range(7):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-4)


def test_refusals():
    for convolutions in ([], [DilatedConvolution(4), Attention(2)]):
        with pytest.raises(ValueError, match="convolutions: there must be at least one, each a DilatedConvolution"):
            ConvolutionBlock(convolutions)
    with pytest.raises(ValueError, match="memory: ConvolutionBlock reads no memory"):
        block_of()(X, memory=Memory(X, PACKED))
