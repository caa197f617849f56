"""Grouped convolutions, each ReLU, convolution, norm, against Tensor2Tensor's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import GroupedConvolution, LayerNorm


# The file does not tell the padding. Of both, this one alone gives its numbers in a NumPy version of the formula.
@pytest.mark.cases("layer_conv_blocks")
@pytest.mark.parametrize(("scope", "output"), [("ss12", "subsep_2"), ("ss14", "subsep_4")])
def test_a_block(case, scope, output):
    x = case["in/x"][:, :, 0]
    whole = f"var/layer/{scope}/"
    found = sorted(name for name in case.files if name.startswith(f"{whole}part_") and name.endswith("/kernel"))
    kernel = np.stack([case[name][:, 0] for name in found])
    mix, bias = (case[f"{whole}conv2d/{leaf}"] for leaf in ("kernel", "bias"))
    layer, norm = GroupedConvolution(len(bias), kernel.shape[1], parts=len(found)), LayerNorm()
    layer.build(x.shape)
    norm.build((*x.shape[:-1], len(bias)))
    layer.set_weights([kernel, mix[0, 0], bias])
    norm.set_weights([case[f"{whole}conv_block_norm_0/layer_norm_{part}"] for part in ("scale", "bias")])
    wanted = case[f"out/{output}"][:, :, 0]
    y = numbers(norm(layer(ops.relu(x))))
    np.testing.assert_allclose(y, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)
