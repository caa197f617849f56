"""The Evolved Transformer against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_models import assign, by_path, check, check_decoded
from upstream_weights import flat_ids

from kt2t.features import Label, Text
from kt2t.models.evolved_transformer import EvolvedTransformer
from kt2t.tensor2tensor.variables import NORMS, WHOLE

SUBLAYERS = {
    "gated_linear_unit": "gates",
    "conv_branches": "convolutions",
    "self_attention": "attention",
    "16_head_self_attention": "first",
    "first_attend_to_encoder": "first_cross_attention",
    "second_attend_to_encoder": "cross_attention",
    "dense_layers": "feed_forward",
}
LEAVES = {
    ("gates", "dense"): "value",
    ("gates", "dense_1"): "gate",
    ("convolutions", "dense"): "wide",
    ("convolutions", "standard_conv_3x1"): "near",
    ("convolutions", "separable_conv_9x1"): "far",
    ("convolutions", "separable_conv11x1"): "wide",
    ("convolutions", "separable_conv_7x1_1"): "narrow",
    ("convolutions", "separable_conv_7x1_2"): "last",
    ("feed_forward", "dense"): "widen",
    ("feed_forward", "dense_1"): "narrow",
}
PROJECTIONS = {"q": "query", "k": "key", "v": "value", "output_transform": "output_projection"}


def _path(name):
    if name.endswith("/target_space_embedding/kernel"):
        return WHOLE["target_space_embedding/kernel"]
    stack, level, scope, leaf = re.fullmatch(r".*/body/(encoder|decoder)/(?:layer_(\d+)/(\w+)/)?(.*)", name).groups()
    norm = re.fullmatch(r"layer_prepostprocess(_1)?/layer_norm/layer_norm_(scale|bias)", leaf)
    if level is None:
        return f"{stack}.norm.{NORMS[norm[2]]}"
    sublayer = SUBLAYERS[scope]
    if norm:
        where = "first_norm" if sublayer == "first" else f"{sublayer}.sublayer.norm" if norm[1] else f"{sublayer}.norm"
        return f"{stack}.layers.{level}.{where}.{NORMS[norm[2]]}"
    *layer, kind = leaf.split("/")
    if layer[0] == "multihead_attention":
        part = f"{PROJECTIONS[layer[1]]}.kernel"
    else:
        part = f"{LEAVES[sublayer, layer[0]]}.{kind.removesuffix('_kernel')}"
    where = {"first": "first_attention", "first_cross_attention": "first_cross_attention"}.get(sublayer)
    return f"{stack}.layers.{level}.{where or f'{sublayer}.sublayer'}.{part}"


def is_evolved(meta):
    """an Evolved Transformer"""
    return meta.get("model") == "evolved_transformer"


def writes(meta):
    """what an Evolved Transformer predicts"""
    return is_evolved(meta) and "out/logits" in meta["arrays"]


def decodes(meta):
    """what an Evolved Transformer decoded"""
    return is_evolved(meta) and any(name.startswith("out/outputs_") for name in meta["arrays"])


def _model(case, meta):
    options, given = meta["hparams"], by_path(case, "var", _path)
    vocabulary = Text(len(given["targets_embedding.table"]))
    return EvolvedTransformer(
        {
            "inputs": vocabulary,
            "targets": vocabulary,
            "target_space": Label(len(given["target_space_embedding.table"])),
        },
        encoder_layers=options["num_encoder_layers"],
        decoder_layers=options["num_decoder_layers"],
        hidden_dim=options["hidden_size"],
        num_heads=options["num_heads"],
        tie="none" if "head.table" in given else "all",
    )


def _batch(case):
    batch = {field: flat_ids(case, field) for field in ("inputs", "targets") if f"in/{field}" in case.files}
    batch |= {f"{field}_segments": (ids != 0).astype("int32") for field, ids in list(batch.items())}
    return {**batch, "target_space": np.full((len(batch["inputs"]),), case["in/target_space_id"], "int32")}


@pytest.mark.cases.with_args(writes)
def test_logits_loss_and_gradients(case, meta):
    batch = _batch(case)
    real = batch["targets_segments"] > 0
    check(case, _model(case, meta), batch, batch["targets"], real.astype("float32"), _path, read=real)


@pytest.mark.cases.with_args(decodes)
def test_decoding(case, meta):
    model = _model(case, meta)
    assign(model, case, _path)
    check_decoded(case, meta, model, _batch(case))
