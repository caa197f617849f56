"""Attention with learned distances against Tensor2Tensor's own numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers.relative_attention import RelativeAttention

pytestmark = pytest.mark.cases("layer_relative_shaw")
TABLES = {"keys": "key_distances", "values": "value_distances"}
UPSTREAM = "layer/dot_product_attention_relative/relative_positions_{}/embeddings"


def _layer(case):
    """With the case's tables; what projects is left out by `_means`, which is all between the projections."""
    rows, depth = case[f"var/{UPSTREAM.format('keys')}"].shape
    heads = case["in/q"].shape[1]
    layer = RelativeAttention(heads, max_distance=(rows - 1) // 2)
    layer.build((None, None, heads * depth))
    for theirs, ours in TABLES.items():
        getattr(layer, ours).assign(case[f"var/{UPSTREAM.format(theirs)}"])
    return layer


def _mask(case):
    return case["in/bias"][:, 0] > -1  # the upstream's bias is -1e9 at padding


def test_the_weighted_mean(case):
    given = [ops.convert_to_tensor(case[f"in/{name}"]) for name in "qkv"]
    found = numbers(_layer(case)._means(*given, _mask(case), None, False))
    np.testing.assert_allclose(found, case["out/y"], atol=1e-5 * np.abs(case["out/y"]).max(), rtol=0)


def test_gradients(case):
    layer, given = _layer(case), [case[f"in/{name}"] for name in "qkv"]
    tables = [getattr(layer, ours) for ours in TABLES.values()]

    def total(*given):
        return ops.sum(layer._means(*given, _mask(case), None, False) * case["in/grad_weights"])

    if keras.backend.backend() == "jax":
        import jax

        def stateless(*values):
            with keras.StatelessScope(list(zip(tables, values[3:], strict=True))):
                return total(*values[:3])

        values = [*given, *(table.value for table in tables)]
        value, found = jax.value_and_grad(stateless, argnums=tuple(range(5)))(*values)
    else:
        import tensorflow as tf

        given = [tf.constant(x) for x in given]
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = total(*given)
        found = tape.gradient(value, [*given, *(table.value for table in tables)])
        found = [tf.convert_to_tensor(gradient) for gradient in found]
    np.testing.assert_allclose(float(value), case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    wanted = [case[f"gradin/{name}"] for name in "qkv"]
    wanted += [case[f"grad/{UPSTREAM.format(theirs)}"] for theirs in TABLES]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(numbers(ours), theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)
