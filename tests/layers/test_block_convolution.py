"""Compression of blocks by a convolution, against NumPy and Keras's own convolution."""

from __future__ import annotations

import keras
import numpy as np
from harness import check_layer, forward, numbers

from kt2t.layers import BlockConvolution

X = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype("float32")


def test_it_is_a_layer_like_any():
    weights = {"projection.kernel": (15, 5), "projection.bias": (5,)}
    check_layer(lambda **o: BlockConvolution(**o), X, shape=(2, 4, 5), weights=weights)


def test_it_is_a_convolution_with_the_stride_of_its_width():
    layer = BlockConvolution()
    layer.build(X.shape)
    layer.projection.bias.assign(np.arange(5.0))
    convolution = keras.layers.Conv1D(5, 3, strides=3)
    convolution.build((2, 12, 5))
    convolution.kernel.assign(numbers(layer.projection.kernel).reshape(3, 5, 5))
    convolution.bias.assign(np.arange(5.0))
    np.testing.assert_allclose(numbers(forward(layer)(X)), numbers(convolution(X.reshape(2, 12, 5))), atol=1e-5)
