"""Bytes of pictures as numbers."""

from __future__ import annotations

import numpy as np
from harness import check_layer, numbers

from kt2t.layers import RawPixels

PIXELS = np.array([0, 51, 255, 102], "uint8").reshape(2, 2, 1, 1)


def test_it_is_a_layer_like_any():
    layer = check_layer(RawPixels, PIXELS, shape=(2, 2, 1, 1), weights={})
    np.testing.assert_allclose(numbers(layer(PIXELS)).ravel(), [-1, -0.6, 1, -0.2], atol=1e-6)


def test_every_pixel_is_real():
    assert numbers(RawPixels().segments(PIXELS)).tolist() == [[[1], [1]], [[1], [1]]]
