"""Attention against Tensor2Tensor's own numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers

from kt2t.layers.attention import Attention

KERNELS = {"q": "query", "k": "key", "v": "value", "output_transform": "output_projection"}


def _layer(golden, case):
    kernels = {
        ours: golden[f"var/layer/{case}/{theirs}/kernel"] for theirs, ours in KERNELS.items()
    }
    num_heads = golden["var/layer/v3d/q"].shape[1]  # the case's number of heads stands in the shapes of this one alone
    layer = Attention(
        num_heads,
        key_dim=kernels["query"].shape[1],
        value_dim=kernels["value"].shape[1],
        output_dim=kernels["output_projection"].shape[1],
    )
    layer.build(golden["in/x"].shape, golden["in/m"].shape)
    for name, kernel in kernels.items():
        getattr(layer, name).kernel.assign(kernel)
    return layer


def _near(found, wanted):
    np.testing.assert_allclose(numbers(found), wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)


def test_self_attention(golden):
    case = golden("layer_multihead_attention")
    mask = case["in/bias"][:, 0] > -1  # the upstream's bias is -1e9 at padding
    _near(_layer(case, "self")(case["in/x"], mask=mask), case["out/y"])


def test_attention_to_a_memory_of_other_widths(golden):
    case = golden("layer_multihead_attention")
    mask = case["in/bias"][:, 0] > -1
    _near(_layer(case, "cross")(case["in/x"], memory=case["in/m"], mask=mask), case["out/cross"])


def test_kernels_of_three_axes(golden):
    """Upstream's `vars_3d` reads the memory and has the query's scale in its initial values: ours is taken out again."""
    case = golden("layer_multihead_attention")
    width, num_heads, head_dim = case["var/layer/v3d/q"].shape
    layer = Attention(num_heads, key_dim=num_heads * head_dim)
    layer.build(case["in/x"].shape, case["in/m"].shape)
    for theirs, ours, scale in (("q", "query", head_dim**0.5), ("k", "key", 1.0), ("v", "value", 1.0)):
        getattr(layer, ours).kernel.assign(case[f"var/layer/v3d/{theirs}"].reshape(width, -1) * scale)
    layer.output_projection.kernel.assign(case["var/layer/v3d/o"].reshape(-1, width))
    mask = case["in/bias"][:, 0] > -1
    _near(layer(case["in/x"], memory=case["in/m"], mask=mask), case["out/vars3d"])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a gradient tape is TensorFlow's")
def test_gradients_of_self_attention(golden):
    import tensorflow as tf

    case = golden("layer_multihead_attention")
    layer = _layer(case, "self")
    x = tf.constant(case["in/x"])
    weights = {theirs: getattr(layer, ours).kernel.value for theirs, ours in KERNELS.items()}
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x, mask=case["in/bias"][:, 0] > -1) * case["in/grad_weights"])
    found = tape.gradient(total, [x, *weights.values()])
    wanted = [case["gradin/x"], *(case[f"grad/layer/self/{name}/kernel"] for name in weights)]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(numbers(ours), theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)


class ByConvolution(Attention):
    """Queries, keys and values from convolutions that look to the left, as upstream's `LEFT` ones."""

    def _projection(self, width, shape):
        if self.made == 3:  # the output stays a matrix
            return super()._projection(width, shape)
        self.made += 1
        convolution = keras.layers.Conv1D(width, 3, padding="causal")
        convolution.build(shape)
        return convolution

    made = 0


def test_projections_by_convolution_under_a_local_mask(golden):
    """`local_mask_right` with blocks of 4: a query sees its own block and the one before, up to itself."""
    case = golden("layer_multihead_attention")
    layer = ByConvolution(case["var/layer/v3d/q"].shape[1])
    layer.build(case["in/x"].shape)
    for theirs, ours in (("q", "query"), ("k", "key"), ("v", "value")):
        projection = getattr(layer, ours)
        projection.kernel.assign(case[f"var/layer/cqkv/{theirs}_single/kernel"][:, 0])
        projection.bias.assign(case[f"var/layer/cqkv/{theirs}_single/bias"])
    layer.output_projection.kernel.assign(case["var/layer/cqkv/output_transform/kernel"])
    query, key = np.arange(11)[:, None], np.arange(11)[None, :]
    mask = ((key <= query) & (key // 4 >= query // 4 - 1))[None]
    _near(layer(case["in/x"], mask=mask), case["out/conv_qkv"])
