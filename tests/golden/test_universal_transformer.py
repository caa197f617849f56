"""The Universal Transformer against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_models import assign, by_path, check, check_decoded
from harness import ON_JAX
from upstream_weights import flat_ids

from kt2t.features import Label, Text
from kt2t.layers import (
    AccumulatedRecurrence,
    AdaptiveRecurrence,
    BasicRecurrence,
    DepthAttentionRecurrence,
    GlobalRecurrence,
    GRURecurrence,
    HighwayRecurrence,
    LSTMRecurrence,
    SkipRecurrence,
    UniversalStack,
)
from kt2t.layers.transformer_stack import stack_of
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.tensor2tensor.variables import LEAVES, NORMS, SUBLAYERS, WHOLE

ADAPTIVE = {"basic": AdaptiveRecurrence, "accumulated": AccumulatedRecurrence, "global": GlobalRecurrence}
PARTS = {
    "layer_embedding": "steps",
    "depth_embedding": "recurrence.depths",
    "dense": "recurrence.scores",
    "transform": "recurrence.gate",
    "sigmoid_activation_for_pondering/dense": "recurrence.halting",
    "gru/update": "recurrence.update",
    "gru/reset": "recurrence.reset",
    "gru/candidate": "recurrence.candidate",
    "lstm/input": "recurrence.input_gate",
    "lstm/forget": "recurrence.forget_gate",
    "lstm/output": "recurrence.output_gate",
    "lstm/input_modulation": "recurrence.modulation",
}
NORM = re.compile(r"(.*?)/?layer_prepostprocess(_1)?/layer_norm/layer_norm_(scale|bias)")


def _path(name):
    if name.endswith("/target_space_embedding/kernel"):
        return WHOLE["target_space_embedding/kernel"]
    stack, within, leaf = re.fullmatch(r".*/body/(encoder|decoder)/(?:universal_transformer_(\w+?)/)?(.*)", name).groups()
    norm = NORM.fullmatch(leaf)
    if within is None:
        return f"{stack}.norm.{NORMS[norm[3]]}"
    if norm and not norm[1]:
        return f"{stack}.recurrence.{'last_norm' if norm[2] else 'norm'}.{NORMS[norm[3]]}"
    block = re.fullmatch(r"(?:rec_layer_(\d+)/)?(self_attention|encdec_attention|ffn)/(.*)", leaf)
    if block:
        level, sublayer, leaf = block.groups()
        where = f"{stack}.layers.{level or 0}.{SUBLAYERS[sublayer]}"
        norm = NORM.fullmatch(leaf)
        return f"{where}.norm.{NORMS[norm[3]]}" if norm else f"{where}.sublayer.{LEAVES[leaf]}"
    if leaf in PARTS:
        return f"{stack}.{PARTS[leaf]}"
    part, _, kind = leaf.rpartition("/")
    return f"{stack}.{PARTS[part]}.{kind}"


def is_universal(meta):
    """a Universal Transformer"""
    return meta.get("model") == "universal_transformer"


def writes(meta):
    """what a Universal Transformer predicts"""
    return is_universal(meta) and "out/logits" in meta["arrays"]


def decodes(meta):
    """what a Universal Transformer decoded"""
    return is_universal(meta) and any(name.startswith("out/outputs_") for name in meta["arrays"])


def _recurrence(case, options):
    gates = {"i": "inputs", "s": "state", "t": "transformed"}
    found = {match[1] for name in case.files if (match := re.search(r"/universal_transformer_(\w+?)/", name))}
    kind = found.pop()
    if kind == "act":
        return ADAPTIVE[options["act_type"]]()
    if kind in ("highway", "skip"):
        reads = [gates[letter] for letter in "sti" if letter in options["gates_inputs"]]
        return {"highway": HighwayRecurrence, "skip": SkipRecurrence}[kind](reads)
    kinds = {"basic": BasicRecurrence, "dwa": DepthAttentionRecurrence, "gru": GRURecurrence, "lstm": LSTMRecurrence}
    return kinds[kind]()


def _model(case, meta):
    options, given = meta["hparams"], by_path(case, "var", _path)
    sizes = {
        "num_layers": options.get("num_inrecurrence_layers", 1),
        "num_steps": options.get("num_rec_steps") or options["act_max_steps"],
        "hidden_dim": options["hidden_size"],
        "intermediate_dim": options["filter_size"],
        "num_heads": options["num_heads"],
        "recurrence": _recurrence(case, options),
        "kind": UniversalStack,
    }
    padding = {"include_padding": True} if options.get("act_type") == "global" else {}
    vocabulary = Text(len(given["targets_embedding.table"]))
    return EncoderDecoder(
        {"inputs": vocabulary, "targets": vocabulary, "target_space": Label(len(given["target_space_embedding.table"]))},
        encoder=stack_of(**sizes, **padding),
        decoder=stack_of(**sizes, causal=True, reads_memory=True),
        hidden_dim=options["hidden_size"],
        tie="none" if "head.table" in given else "all",
    )


def _batch(case):
    batch = {field: flat_ids(case, field) for field in ("inputs", "targets") if f"in/{field}" in case.files}
    batch |= {f"{field}_segments": (ids != 0).astype("int32") for field, ids in list(batch.items())}
    return {**batch, "target_space": np.full((len(batch["inputs"]),), case["in/target_space_id"], "int32")}


@pytest.mark.cases.with_args(writes)
def test_logits_loss_and_gradients(case, meta):
    if ON_JAX and not isinstance(_recurrence(case, meta["hparams"]), BasicRecurrence):
        pytest.skip("compiles for long; the steps of a recurrence are checked on JAX by themselves")
    batch = _batch(case)
    real = batch["targets_segments"] > 0
    if meta["hparams"].get("act_type") == "global":  # upstream's mean over the positions of a row counts its padding
        batch["targets_segments"] = np.ones_like(batch["targets_segments"])
    check(case, _model(case, meta), batch, batch["targets"], real.astype("float32"), _path, read=real)


@pytest.mark.cases.with_args(decodes)
def test_decoding(case, meta):
    model = _model(case, meta)
    assign(model, case, _path)
    check_decoded(case, meta, model, _batch(case))
