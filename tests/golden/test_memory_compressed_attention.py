"""Memory-compressed attention against Tensor2Tensor's own numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_means import gradients, near
from keras import ops

from kt2t.layers.block_pooling import BlockPooling
from kt2t.layers.memory_compressed_attention import MemoryCompressedAttention
from kt2t.ops.masks import SegmentMask

pytestmark = pytest.mark.cases("layer_memory_compressed")
SCOPE = "layer/multihead_self_attention_reduced"
KERNELS = {"q": "query", "k": "key", "v": "value", "output_transform": "output_projection"}
CONVOLUTION = f"{SCOPE}/conv_elems_1d/conv2d"
POOLING = f"{SCOPE}/local_reduction_attention/multihead_attention"


def _heads(case):
    """Two divide every width of the cases; the file does not say how many there are."""
    return 2


def _layer(case, meta):
    """The layer, and its weights by upstream's names."""
    options = re.search(r"factor (\d+) reduction (\w+) nonlinearity (\w+); add_mask", meta["exercises"])
    heads = _heads(case)
    pooling = BlockPooling(heads) if options[2] == "attention" else None
    activation = None if options[3] == "none" else options[3]
    widths = {name: case[f"var/{SCOPE}/multihead_attention/{name}/kernel"].shape[1] for name in KERNELS}
    layer = MemoryCompressedAttention(
        heads, int(options[1]), pooling, activation, widths["q"], widths["v"], widths["output_transform"]
    )
    layer.build(case["in/x"].shape)
    weights = {
        f"{SCOPE}/multihead_attention/{theirs}/kernel": getattr(layer, ours).kernel for theirs, ours in KERNELS.items()
    }
    if pooling is None:
        projection = layer.compression.projection
        weights |= {f"{CONVOLUTION}/kernel": projection.kernel, f"{CONVOLUTION}/bias": projection.bias}
    else:
        weights |= {f"{POOLING}/{n}/kernel": getattr(layer.compression, ours).kernel for n, ours in KERNELS.items()}
    assert {f"var/{name}" for name in weights} == {name for name in case.files if name.startswith("var/")}
    for name, weight in weights.items():
        weight.assign(case[f"var/{name}"].reshape(weight.shape))
    return layer, weights


def test_output_and_gradients(case, meta):
    layer, weights = _layer(case, meta)
    mask = SegmentMask(ops.ones(case["in/x"].shape[:2], dtype="int32"), causal=True)
    near(layer(case["in/x"], mask=mask), case["out/y"], 1e-5)
    given = [ops.convert_to_tensor(case["in/x"])]
    total, found = gradients(
        lambda x: ops.sum(layer(x, mask=mask) * case["in/grad_weights"]), given, list(weights.values())
    )
    np.testing.assert_allclose(total, case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    wanted = [case["gradin/x"], *(case[f"grad/{name}"] for name in weights)]
    for ours, theirs in zip(found, wanted, strict=True):
        near(ours, theirs.reshape(ours.shape), 1e-4)
