"""Convolutions and their maxima over time, against loops over each example."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import Cache, TextConvolutions

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 0, 0], [1] * 7], "int32")


def largest(x, layer, whole=False):
    """The maximum of each feature over one example (time, dim); only over windows within it if `whole`."""
    found = []
    for size, convolution in zip(layer.kernel_sizes, layer.convolutions, strict=True):
        kernel, bias = numbers(convolution.kernel), numbers(convolution.bias)
        padded = x if whole else np.concatenate([np.zeros((size - 1, x.shape[1])), x])
        windows = [padded[start : start + size] for start in range(len(padded) - size + 1)]
        found.append(np.max([np.maximum(np.einsum("td,tdf->f", one, kernel) + bias, 0) for one in windows], axis=0))
    return np.concatenate(found)


def biased(**options):
    layer = TextConvolutions(3, [2, 5], **options)
    layer(X, PACKED)
    for convolution in layer.convolutions:
        convolution.bias.assign(RANDOM.normal(size=3))
    return layer


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    weights = {
        f"convolutions.{place}.{name}": shape
        for place, size in enumerate((2, 5))
        for name, shape in (("kernel", (size, 4, 3)), ("bias", (3,)))
    }
    make = lambda **o: TextConvolutions(3, [2, 5], dropout, **o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 7, 6), weights=weights, has_dropout=dropout > 0)


def test_every_position_has_the_maxima_of_its_example():
    layer = biased()
    found = numbers(layer(X, PACKED))
    for row, number in ((0, 1), (0, 2), (1, 1)):
        here = PACKED[row] == number
        wanted = largest(X[row, here], layer)
        np.testing.assert_allclose(found[row, here], np.tile(wanted, (here.sum(), 1)), atol=1e-5)


def test_windows_of_padding_count_where_that_is_asked_for():
    layer = biased(include_padding=True)
    found = numbers(layer(X, (PACKED == 1).astype("int32")))
    for row in range(2):
        np.testing.assert_allclose(found[row], np.tile(largest(X[row], layer, whole=True), (7, 1)), atol=1e-5)
    short = numbers(layer(X[:, :3]))  # a row shorter than the wider window has the window that ends it
    np.testing.assert_allclose(
        short[0, 0, 3:], largest(np.pad(X[0, :3], [(2, 0), (0, 0)]), layer, whole=True)[3:], atol=1e-5
    )


def test_an_example_has_one_dropout_mask():
    layer = TextConvolutions(8, [1], dropout=0.5)
    layer(X)
    layer.convolutions[0].bias.assign(np.ones(8))
    found = numbers(layer(X, training=True))
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 7, axis=1))
    assert (found == 0).any() and (found > 0).any()


def test_refusals():
    with pytest.raises(ValueError, match="kernel_sizes: 0 is not positive"):
        TextConvolutions(3, [2, 0])
    with pytest.raises(ValueError, match="kernel_sizes: there are none"):
        TextConvolutions(3, [])
    with pytest.raises(ValueError, match="filters: 0 is not positive"):
        TextConvolutions(0)
    with pytest.raises(ValueError, match="encoder: TextConvolutions reads whole examples"):
        TextConvolutions(3)(X, cache=Cache(batch=2, length=7))
