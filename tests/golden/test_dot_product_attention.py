"""Attention of given queries, keys and values against Tensor2Tensor's own numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers.attention import Attention


def _merged(x):
    """(batch, time, heads · depth) from (batch, heads, time, depth)."""
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (x.shape[0], x.shape[2], -1))


def _attended(query, key, value, mask):
    """The layer with projections that let everything pass: a memory holds keys and values side by side."""
    (heads, depth), wide = (query.shape[1], query.shape[3]), value.shape[1] * value.shape[3]
    narrow = heads * depth
    layer = Attention(heads, narrow, wide, output_dim=wide)
    layer.build((None, None, narrow), (None, None, narrow + wide))
    both = np.eye(narrow + wide)
    kernels = {"query": np.eye(narrow) * depth**0.5, "key": both[:, :narrow], "value": both[:, narrow:]}
    for name, kernel in {**kernels, "output_projection": np.eye(wide)}.items():
        getattr(layer, name).kernel.assign(kernel)
    memory = ops.concatenate([_merged(key), _merged(value)], axis=-1)
    out = layer(_merged(query), memory=memory, mask=mask)
    return ops.transpose(ops.reshape(out, (*out.shape[:2], heads, -1)), (0, 2, 1, 3))


def _given(case):
    return [case[f"in/{name}"] for name in "qkv"], case["in/bias"][:, 0] > -1  # the upstream's bias is -1e9 at padding


@pytest.mark.cases("layer_dot_product_attention")
def test_the_weighted_mean(case):
    given, mask = _given(case)
    limit = 1e-5 * np.abs(case["out/y"]).max()
    np.testing.assert_allclose(numbers(_attended(*given, mask)), case["out/y"], atol=limit, rtol=0)


@pytest.mark.cases("layer_dot_product_attention")
def test_gradients(case):
    given, mask = _given(case)

    def total(*given):
        return ops.sum(_attended(*given, mask) * case["in/grad_weights"])

    if keras.backend.backend() == "jax":
        import jax

        value, found = jax.value_and_grad(total, argnums=(0, 1, 2))(*given)
    else:
        import tensorflow as tf

        given = [tf.constant(x) for x in given]
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = total(*given)
        found = tape.gradient(value, given)
    np.testing.assert_allclose(float(value), case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    for name, ours in zip("qkv", found, strict=True):
        theirs = case[f"gradin/{name}"]
        np.testing.assert_allclose(numbers(ours), theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0, err_msg=name)
