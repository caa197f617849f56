"""Layer normalisation, against Tensor2Tensor's numbers and the formula in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import LayerNorm

X = (np.random.default_rng(0).normal(size=(2, 3, 8)) * 4 + 2).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: LayerNorm(**k), X, shape=X.shape, weights={"scale": (8,), "shift": (8,)})


def test_the_numbers_are_tensor2tensors(golden):
    z = golden("layer_norms")
    layer = LayerNorm()
    layer.build(z["in/x"].shape)
    layer.scale.assign(z["var/layer/layer/layer_norm/layer_norm_scale"])
    layer.shift.assign(z["var/layer/layer/layer_norm/layer_norm_bias"])
    scale = np.abs(z["out/y"]).max()
    np.testing.assert_allclose(numbers(forward(layer)(z["in/x"])), z["out/y"], atol=1e-5 * scale)


def test_epsilon_is_added_to_the_biased_variance():
    y = numbers(LayerNorm(epsilon=0.5)(X))
    wide = X.astype("float64")
    centred = wide - wide.mean(-1, keepdims=True)
    np.testing.assert_allclose(y, centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 0.5), atol=1e-5)


def test_statistics_are_float32_under_bfloat16():
    x = 300 + np.arange(256, dtype="float32")[None]
    y = numbers(keras.ops.cast(LayerNorm(dtype="mixed_bfloat16")(x), "float32"))
    half = numbers(keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32"))
    expected = (half - half.mean()) / half.std()
    np.testing.assert_allclose(y, expected, atol=0.02)


def test_an_epsilon_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="epsilon: 0"):
        LayerNorm(epsilon=0.0)
