"""A separable convolution is the dilated one with the product of its two kernels."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, DilatedConvolution, SeparableConvolution

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 9, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0], [1] * 9], "int32")


def test_it_is_a_layer_like_any():
    weights = {"depthwise": (3, 4), "pointwise": (2, 2, 3), "bias": (6,)}
    make = lambda **o: SeparableConvolution(6, 3, 2, parts=2, **o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 9, 6), weights=weights)


@pytest.mark.parametrize("padding", ["causal", "same"])
@pytest.mark.parametrize("parts", [1, 2])
def test_its_kernel_is_a_product(padding, parts):
    layer, whole = (
        SeparableConvolution(6, 3, 2, padding, parts=parts),
        DilatedConvolution(6, 3, 2, padding),
    )
    layer(X, PACKED)
    whole(X, PACKED)
    pointwise = np.zeros((4, 6), "float32")
    for place, block in enumerate(numbers(layer.pointwise)):
        rows, columns = block.shape
        pointwise[place * rows : (place + 1) * rows, place * columns : (place + 1) * columns] = block
    layer.bias.assign(RANDOM.normal(size=6))
    whole.kernel.assign(numbers(layer.depthwise)[:, :, None] * pointwise)
    whole.bias.assign(layer.bias)
    np.testing.assert_allclose(numbers(forward(layer)(X, PACKED)), numbers(whole(X, PACKED)), atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = SeparableConvolution(6, 3, 2, parts=2)
    whole = numbers(forward(layer)(X))
    cache = Cache(batch=2, length=9, beams=3)
    layer.start(None, cache.child("it"))
    for time in range(9):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="parts: 0 is not positive"):
        SeparableConvolution(6, parts=0)
    with pytest.raises(ValueError, match="parts: 4 parts do not divide filters, 6"):
        SeparableConvolution(6, parts=4)
    with pytest.raises(ValueError, match="parts: 3 parts do not divide the input's width, 4"):
        SeparableConvolution(6, parts=3)(X)
