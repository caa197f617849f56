"""SliceNet against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_models import check
from keras import ops

from kt2t.features import Label, Text
from kt2t.layers import Sequence
from kt2t.models import SliceNet
from kt2t.registry import register

BODY = "slice_net/body/slicenet/"
ATTENTIONS = {"self_attention": "attention", "encdec_attention": "cross_attention"}
PROJECTIONS = {"q": "query", "k": "key", "v": "value", "output_transform": "output_projection"}
BLOCKS = {"residual1": "lower", "residual2": "upper"}
NORMS = {"scale": "scale", "bias": "shift"}
KERNELS = {"kernel": "kernel", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}


@register
class Nothing(Sequence):
    """Adds nothing: upstream's attention type none."""

    def call(self, x, segments=None, memory=None, cache=None, training=None):
        return ops.zeros_like(x)


def _path_of(name):
    """For example decoder/layer_0/residual1/part_1/conv_block_0_single/depthwise_kernel → decoder.upper.lower.0.…"""
    place = name.partition(BODY)[2]
    if place.startswith("target_space_embedding/"):
        return "target_space_embedding.table"
    level = re.match(r"(encoder|decoder)/layer_(\d+)/", place)
    stack = {"encoder": "encoder", "decoder": "decoder.upper"}[level[1]] if level else "decoder"
    kind, *rest = place[level.end() if level else 0 :].split("/")
    reader = f"{stack}.attentions.{level[2]}" if level else "decoder.attention"
    if kind in ATTENTIONS:
        return f"{reader}.{ATTENTIONS[kind]}.{PROJECTIONS[rest[0]]}.kernel"
    if kind == "targets_time":
        block = f"{reader}.block"
    else:
        block = "decoder.lower" if kind == "targets_merge" else f"{stack}.{BLOCKS[kind]}.{level[2]}"
    if rest[0] == "conv2d":
        return f"{block}.convolutions.0.{'mix' if rest[1] == 'kernel' else 'bias'}"
    number = re.search(r"conv_block_(?:norm_)?(\d+)", place)[1]
    if "conv_block_norm" in place:
        return f"{block}.norms.{number}.{NORMS[place.rpartition('_')[2]]}"
    return f"{block}.convolutions.{number}.{KERNELS[rest[-1]]}"


def _joined(path, parts):
    """The parts of a sub-separable or grouped convolution."""
    return np.concatenate(parts, axis=2) if path.endswith("depthwise") else np.stack(parts)


def _sizes(case):
    """The options of the model, from the names and shapes of the file's variables."""
    names = [name.partition(BODY)[2] for name in case.files if name.startswith(f"var/{BODY}")]

    def found(pattern):
        return sorted({match.groups() for match in (re.match(pattern, name) for name in names) if match})

    layers = len(found(r"decoder/layer_(\d+)/"))
    kernels, parts = [], []
    for block in BLOCKS:
        for step in range(2):
            place = f"decoder/layer_0/{block}/"
            of_step = [n for n in names if n.startswith(place) and f"conv_block_{step}_single/depthwise" in n]
            kernels.append(len(case[f"var/{BODY}{of_step[0]}"]))
            parts.append(len(of_step))
    return {"num_layers": layers, "kernel_sizes": kernels, "parts": parts[:2]}


@pytest.mark.cases("slicenet")
def test_logits_loss_and_gradients(case, meta):
    options = meta["hparams"]
    table = case[next(name for name in case.files if re.match(r"var/.*/shared/weights_0$", name))]
    spaces, width = case[f"var/{BODY}target_space_embedding/kernel"].shape
    features = {"inputs": Text(len(table)), "targets": Text(len(table)), "target_space": Label(spaces)}
    attends = any(f"/{kind}/" in name for name in case.files for kind in ATTENTIONS)
    model = SliceNet(
        features,
        hidden_dim=width,
        num_heads=options["num_heads"],
        attention=None if attends else Nothing(),
        include_padding=True,
        **_sizes(case),
    )
    batch = {field: case[f"in/{field}"][:, :, 0, 0] for field in ("inputs", "targets")}
    batch["target_space"] = np.full((len(batch["inputs"]),), case["in/target_space_id"], "int32")
    real = batch["targets"] != 0
    weight = real.astype("float32")
    check(case, model, batch, batch["targets"], weight, _path_of, read=real, join=_joined)
