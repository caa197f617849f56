"""Stacks of dilated convolutions, each ReLU, convolution, norm, against Tensor2Tensor's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import DilatedConvolution, LayerNorm

# The file does not tell these. Of 1, 2 and 4 in either place, they alone give its numbers in a NumPy version of the formula.
DILATIONS = {"cb_left": (1, 2), "cb_same": (1, 4)}


@pytest.mark.cases("layer_conv_blocks")
@pytest.mark.parametrize(
    ("scope", "output", "padding"), [("cb_left", "y", "causal"), ("cb_same", "same_dilated", "same")]
)
def test_a_stack(case, scope, output, padding):
    x = case["in/x"][:, :, 0]
    for place, dilation in enumerate(DILATIONS[scope]):
        kernel = case[f"var/layer/{scope}/conv_block_{place}_single/kernel"][:, 0]
        layer = DilatedConvolution(kernel.shape[2], len(kernel), dilation, padding, use_bias=False)
        norm = LayerNorm()
        layer.build(x.shape)
        norm.build((*x.shape[:-1], kernel.shape[2]))
        layer.set_weights([kernel])
        scale = f"var/layer/{scope}/conv_block_norm_{place}/layer_norm_scale"
        norm.set_weights([case[scale], case[scale.removesuffix("scale") + "bias"]])
        x = norm(layer(ops.relu(x)))
    wanted = case[f"out/{output}"][:, :, 0]
    np.testing.assert_allclose(numbers(x), wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)
