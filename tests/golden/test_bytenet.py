"""ByteNet against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import pytest
from golden_models import check

from kt2t.features import Text
from kt2t.models import ByteNet

BODY = "byte_net/body/bytenet/"
STEP = re.compile(r"(?:conv_block_(\d+)_single/(kernel)|conv_block_norm_(\d+)/layer_norm_(\w+))$")
NORMS = {"scale": "scale", "bias": "shift"}


def _path_of(name):
    """For example decoder/repeat_1/residual_conv/conv_block_0_single/kernel → decoder.upper.layers.1.sublayer.…"""
    place = name.partition("bytenet/")[2]
    within = re.match(r"(encoder|decoder)/repeat_(\d+)/", place)
    block = "decoder.lower"
    if within:
        stack = {"encoder": "encoder", "decoder": "decoder.upper"}[within[1]]
        layer = f"{stack}.layers.{within[2]}"
        if "/lnorm/" in place:
            return f"{layer}.norm.{NORMS[place.rpartition('_')[2]]}"
        block = f"{layer}.sublayer"
    convolution, kernel, norm, leaf = STEP.search(place).groups()
    return f"{block}.convolutions.{convolution}.{kernel}" if kernel else f"{block}.norms.{norm}.{NORMS[leaf]}"


@pytest.mark.cases("bytenet")
def test_logits_loss_and_gradients(case, meta):
    names = [name.partition(BODY)[2] for name in case.files if name.startswith(f"var/{BODY}encoder")]
    blocks = 1 + max(int(re.search(r"repeat_(\d+)", name)[1]) for name in names)
    steps = 1 + max(int(found[1]) for name in names if (found := re.search(r"conv_block_(\d+)_single", name)))
    tables = {part: case[f"var/byte_net/symbol_modality_{size}/{part}/weights_0"] for part, size in _tables(case)}
    kernel = case[f"var/{BODY}conv_block/conv_block_0_single/kernel"]
    features = {"inputs": Text(len(tables["input_emb"])), "targets": Text(len(tables["target_emb"]))}
    model = ByteNet(
        features, kernel.shape[-1], blocks, [2**step for step in range(steps)], len(kernel), include_padding=True
    )
    batch = {field: case[f"in/{field}"][:, :, 0, 0] for field in features}
    real = batch["targets"] != 0
    # Upstream's row goes on, to a multiple of 50; what stands at padding nobody reads.
    check(case, model, batch, batch["targets"], real.astype("float32"), _path_of, read=real)


def _tables(case):
    found = (re.match(r"var/byte_net/symbol_modality_(\d+_\d+)/(\w+)/weights_0$", name) for name in case.files)
    return [(one[2], one[1]) for one in found if one]
