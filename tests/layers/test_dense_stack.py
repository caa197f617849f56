"""Dense layers over a whole map against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import DenseStack

X = np.random.default_rng(0).normal(size=(3, 2, 4, 3)).astype("float32")


def test_it_is_the_formula():
    layer = DenseStack([6, 5])
    found = numbers(forward(layer)(X))
    y = X.reshape(3, 24)
    for dense in layer.layers:
        y = np.maximum(y @ numbers(dense.kernel) + numbers(dense.bias), 0)
    np.testing.assert_allclose(found[:, 0, 0], y, atol=1e-5)
    assert found.shape == (3, 1, 1, 5)


def test_it_is_a_layer_like_any():
    check_layer(
        lambda **dtype: DenseStack([6], dropout=0.5, **dtype),
        X,
        shape=(3, 1, 1, 6),
        weights={"layers.0.kernel": (24, 6), "layers.0.bias": (6,)},
        has_dropout=True,
    )


def test_refusals():
    with pytest.raises(ValueError, match="widths: there are none"):
        DenseStack([])
    with pytest.raises(ValueError, match="dropout: 1 is not a probability"):
        DenseStack(dropout=1)
    with pytest.raises(ValueError, match="DenseStack reads maps of one size, not \\(None, 7, 3\\)"):
        DenseStack().build((None, None, 7, 3))
