"""The contract of recurrent layers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers

from kt2t.layers import Recurrent

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
SEGMENTS = np.array([[1, 1, 2, 0], [1, 1, 1, 1]], "int32")


class Sums(Recurrent):
    """Test layer: adds up W x + b."""

    def step(self, inner, state):
        return state + inner


def test_the_base_alone_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="Recurrent must define step"):
        Recurrent(2)(X)


def test_a_subclass_is_only_its_step():
    layer = Sums(2)
    layer.build(X.shape)
    layer.bias.assign([1.0, 2.0])
    inner = X @ numbers(layer.kernel) + [1, 2]
    wanted = np.stack([np.concatenate([np.cumsum(inner[0, :2], 0), inner[0, 2:3], inner[0, 2:3]]), inner[1].cumsum(0)])
    np.testing.assert_allclose(numbers(forward(layer)(X, SEGMENTS)), wanted, atol=1e-5)


def test_the_product_of_the_input_is_the_sum_of_those_of_its_parts():
    layer = Sums(2)
    layer.build(X.shape)
    np.testing.assert_allclose(
        numbers(layer.inner(X[..., :2]) + layer.added(X[..., 2:], 2)), numbers(layer.inner(X)), atol=1e-6
    )


def test_units_are_positive():
    with pytest.raises(ValueError, match="units: 0 is not positive"):
        Recurrent(0)
