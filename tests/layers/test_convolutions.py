"""Convolutions over a map against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Convolutions

X = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The "same" convolution of a map with a 3 × 3 kernel, from its definition."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, [(1, 1), (1, 1), (0, 0)]), (3, 3), axis=(0, 1))
    return np.einsum("hwcij,ijcd->hwd", windows, kernel)


def pooled(x: np.ndarray) -> np.ndarray:
    """The maximum of each 2 × 2, a last row or column by itself included."""
    around = np.pad(x, [(0, x.shape[0] % 2), (0, x.shape[1] % 2), (0, 0)], constant_values=-np.inf)
    return around.reshape(around.shape[0] // 2, 2, around.shape[1] // 2, 2, -1).max((1, 3))


def test_it_is_the_formula():
    layer = Convolutions(filters=[4, 6], intermediate_dim=5)
    found = numbers(forward(layer)(X))
    assert found.shape == (2, 1, 1, 5)
    for row in range(2):
        x = pooled(np.maximum(X[row], 0))
        for convolution in layer.convolutions:
            x = pooled(np.maximum(convolved(x, numbers(convolution.kernel)) + numbers(convolution.bias), 0))
        expected = np.maximum(x.reshape(-1) @ numbers(layer.dense.kernel) + numbers(layer.dense.bias), 0)
        np.testing.assert_allclose(found[row, 0, 0], expected, atol=1e-5)


def test_it_is_a_layer_like_any():
    check_layer(
        lambda **dtype: Convolutions([4], intermediate_dim=6, dropout=0.4, **dtype),
        X,
        shape=(2, 1, 1, 6),
        weights={
            "convolutions.0.kernel": (3, 3, 3, 4),
            "convolutions.0.bias": (4,),
            "dense.kernel": (2 * 2 * 4, 6),
            "dense.bias": (6,),
        },
        has_dropout=True,
    )


def test_refusals():
    for options, told in [({"filters": []}, "filters: there are none"), ({"kernel_size": 0}, "kernel_size: 0")]:
        with pytest.raises(ValueError, match=told):
            Convolutions(**options)
    with pytest.raises(ValueError, match="Convolutions reads maps of one size, not \\(None, 7, 3\\)"):
        Convolutions().build((None, None, 7, 3))
