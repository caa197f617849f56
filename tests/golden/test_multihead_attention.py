"""Attention against Tensor2Tensor's own numbers."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers.attention import Attention

pytestmark = pytest.mark.cases("layer_multihead_attention")
KERNELS = {"q": "query", "k": "key", "v": "value", "output_transform": "output_projection"}


def _layer(case, part):
    kernels = {ours: case[f"var/layer/{part}/{theirs}/kernel"] for theirs, ours in KERNELS.items()}
    num_heads = case["var/layer/v3d/q"].shape[1]  # the case's number of heads stands in the shapes of this one alone
    layer = Attention(
        num_heads,
        key_dim=kernels["query"].shape[1],
        value_dim=kernels["value"].shape[1],
        output_dim=kernels["output_projection"].shape[1],
    )
    layer.build(case["in/x"].shape, case["in/m"].shape)
    for name, kernel in kernels.items():
        getattr(layer, name).kernel.assign(kernel)
    return layer


def _near(found, wanted):
    np.testing.assert_allclose(numbers(found), wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)


def test_self_attention(case):
    mask = case["in/bias"][:, 0] > -1  # the upstream's bias is -1e9 at padding
    _near(_layer(case, "self")(case["in/x"], mask=mask), case["out/y"])


def test_attention_to_a_memory_of_other_widths(case):
    mask = case["in/bias"][:, 0] > -1
    _near(_layer(case, "cross")(case["in/x"], memory=case["in/m"], mask=mask), case["out/cross"])


def test_kernels_of_three_axes(case):
    """Upstream's `vars_3d` reads the memory and has the query's scale in its initial values: ours is taken out again."""
    width, num_heads, head_dim = case["var/layer/v3d/q"].shape
    layer = Attention(num_heads, key_dim=num_heads * head_dim)
    layer.build(case["in/x"].shape, case["in/m"].shape)
    for theirs, ours, scale in (("q", "query", head_dim**0.5), ("k", "key", 1.0), ("v", "value", 1.0)):
        getattr(layer, ours).kernel.assign(case[f"var/layer/v3d/{theirs}"].reshape(width, -1) * scale)
    layer.output_projection.kernel.assign(case["var/layer/v3d/o"].reshape(-1, width))
    mask = case["in/bias"][:, 0] > -1
    _near(layer(case["in/x"], memory=case["in/m"], mask=mask), case["out/vars3d"])


def test_gradients_of_self_attention(case):
    layer = _layer(case, "self")
    kernels = [getattr(layer, ours).kernel for ours in KERNELS.values()]
    mask = case["in/bias"][:, 0] > -1

    def total(x):
        return ops.sum(layer(x, mask=mask) * case["in/grad_weights"])

    if keras.backend.backend() == "jax":
        import jax

        def stateless(x, values):
            with keras.StatelessScope(list(zip(kernels, values, strict=True))):
                return total(x)

        values = [kernel.value for kernel in kernels]
        value, (by_x, by_kernels) = jax.value_and_grad(stateless, argnums=(0, 1))(case["in/x"], values)
    else:
        import tensorflow as tf

        x = tf.constant(case["in/x"])
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = total(x)
        by_x, by_kernels = tape.gradient(value, [x, [kernel.value for kernel in kernels]])
    np.testing.assert_allclose(float(value), case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    wanted = [case["gradin/x"], *(case[f"grad/layer/self/{name}/kernel"] for name in KERNELS)]
    for ours, theirs in zip([by_x, *by_kernels], wanted, strict=True):
        np.testing.assert_allclose(numbers(ours), theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)


class ByConvolution(Attention):
    """Queries, keys and values from convolutions that look to the left, as upstream's `LEFT` ones."""

    width = 3

    def _projection(self, width, shape):
        if self.made == 3:  # the output stays a matrix
            return super()._projection(width, shape)
        self.made += 1
        convolution = keras.layers.Conv1D(width, self.width, padding="causal")
        convolution.build(shape)
        return convolution

    made = 0


def test_projections_by_convolution_under_a_local_mask(case, meta):
    """`local_mask_right` with blocks: a query sees its own block and the one before, up to itself."""
    block = int(re.search(r"local_mask_right block (\d+)", meta["exercises"])[1])
    layer = ByConvolution(case["var/layer/v3d/q"].shape[1])
    layer.width = len(case["var/layer/cqkv/q_single/kernel"])
    layer.build(case["in/x"].shape)
    for theirs, ours in (("q", "query"), ("k", "key"), ("v", "value")):
        projection = getattr(layer, ours)
        projection.kernel.assign(case[f"var/layer/cqkv/{theirs}_single/kernel"][:, 0])
        projection.bias.assign(case[f"var/layer/cqkv/{theirs}_single/bias"])
    layer.output_projection.kernel.assign(case["var/layer/cqkv/output_transform/kernel"])
    length = case["in/x"].shape[1]
    query, key = np.arange(length)[:, None], np.arange(length)[None, :]
    mask = ((key <= query) & (key // block >= query // block - 1))[None]
    _near(layer(case["in/x"], mask=mask), case["out/conv_qkv"])
