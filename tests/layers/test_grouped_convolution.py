"""A grouped convolution is the dilated one with a block-diagonal kernel, then a matrix."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import Cache, DilatedConvolution, GroupedConvolution

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 9, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0], [1] * 9], "int32")


def test_it_is_a_layer_like_any():
    weights = {"kernel": (2, 3, 2, 3), "mix": (6, 6), "bias": (6,)}
    make = lambda **o: GroupedConvolution(6, 3, 2, parts=2, **o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 9, 6), weights=weights)


@pytest.mark.parametrize("padding", ["causal", "same"])
def test_runs_of_channels_do_not_mix_before_the_matrix(padding):
    layer, whole = GroupedConvolution(6, 3, 2, padding, parts=2), DilatedConvolution(6, 3, 2, padding, use_bias=False)
    layer(X, PACKED)
    whole(X, PACKED)
    layer.bias.assign(RANDOM.normal(size=6))
    kernel = np.zeros((3, 4, 6), "float32")
    for part, block in enumerate(numbers(layer.kernel)):
        kernel[:, 2 * part : 2 * part + 2, 3 * part : 3 * part + 3] = block
    whole.kernel.assign(kernel)
    wanted = numbers(whole(X, PACKED)) @ numbers(layer.mix) + numbers(layer.bias)
    np.testing.assert_allclose(numbers(layer(X, PACKED)), wanted, atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = GroupedConvolution(6, 3, 2, parts=2)
    whole = numbers(layer(X))
    cache = Cache(batch=2, length=9, beams=2)
    layer.start(None, cache)
    for time in range(9):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 2, axis=1), cache=cache))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 2, axis=1), atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="parts: 0 is not positive"):
        GroupedConvolution(6, parts=0)
    with pytest.raises(ValueError, match="parts: 4 parts do not divide filters, 6"):
        GroupedConvolution(6)
    with pytest.raises(ValueError, match="parts: 3 parts do not divide the input's width, 4"):
        GroupedConvolution(6, parts=3)(X)
