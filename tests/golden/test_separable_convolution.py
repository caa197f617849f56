"""Separable and sub-separable convolutions, each ReLU, convolution, norm, against Tensor2Tensor's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import LayerNorm, SeparableConvolution

# The file does not tell the padding. Of both, this one alone gives its numbers in a NumPy version of the formula.
STACKS = [("sep", "separable", "same"), ("ss10", "subsep_0", "causal"), ("ss8", "subsep_m2", "causal")]


@pytest.mark.cases("layer_conv_blocks")
@pytest.mark.parametrize(("scope", "output", "padding"), [*STACKS, ("ss7", "subsep_m3", "causal")])
def test_a_block(case, scope, output, padding):
    x = case["in/x"][:, :, 0]
    whole = f"var/layer/{scope}/"
    found = [name for name in case.files if name.startswith(whole) and name.endswith("depthwise_kernel")]
    depthwise = np.concatenate([case[name][:, 0, :, 0] for name in found], axis=1)
    pointwise = np.stack([case[name.replace("depthwise", "pointwise")][0, 0] for name in found])
    filters = len(found) * pointwise.shape[2]
    layer = SeparableConvolution(filters, len(depthwise), padding=padding, use_bias=False, parts=len(found))
    norm = LayerNorm()
    layer.build(x.shape)
    norm.build((*x.shape[:-1], filters))
    layer.set_weights([depthwise, pointwise])
    norm.set_weights([case[f"{whole}conv_block_norm_0/layer_norm_{part}"] for part in ("scale", "bias")])
    wanted = case[f"out/{output}"][:, :, 0]
    y = numbers(norm(layer(ops.relu(x))))
    np.testing.assert_allclose(y, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)
