"""Models whose blocks have different kinds of attention, against Tensor2Tensor's own numbers: those without experts.

Upstream writes the kinds as letters: h and a are plain attention, m is plain attention that saves memory, r and redm are
memory-compressed.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_means import near
from keras import ops
from upstream_weights import flat_ids

from kt2t.features import Label, Text
from kt2t.layers.attention import Attention
from kt2t.layers.memory_compressed_attention import MemoryCompressedAttention
from kt2t.layers.transformer_stack import stack_of
from kt2t.losses.cross_entropy import CrossEntropy
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.models.transformer_lm import TransformerLM
from kt2t.ops.paths import attribute_paths
from kt2t.tensor2tensor.hparams import NORMS, norms
from kt2t.tensor2tensor.variables import gathered

# What these models call differently from the Transformer.
WORDS = [
    (r"^(\w+)/layer_", r"\1/body/decoder/layer_"),
    (r"^(attention_lm_moe)/layer_prepostprocess", r"\1/body/decoder/layer_prepostprocess"),
    (r"(attention_multihead(_reduced)?|attention_memory_efficient|(self_)?att_(a|redm))/", "self_attention/"),
    (r"att_ende_a/", "encdec_attention/"),
    (r"ff_fc/", "ffn/"),
    (r"multihead_self_attention_reduced/multihead_attention/", "multihead_attention/"),
    (r"decoder_self_attention/(\w+/kernel)", r"multihead_attention/\1"),
    (r"decoder_self_attention/(layer_norm_\w+)", r"layer_preprocess/layer_norm/\1"),
]
CONVOLUTION = re.compile(r"layer_(\d+)/.*/conv_elems_1d/conv2d/(kernel|bias)$")


def is_in_turn(meta):
    """a model without experts whose layers are chosen by letters"""
    if meta.get("model") != "attention_lm_moe":
        return meta.get("model") == "transformer_moe"
    return set(meta["hparams"].get("attention_layers") or "e") <= set("hmr")


def _named(case):
    """The case's weights under the Transformer's names; a convolution that compresses under our path."""
    weights, compressions = {}, {}
    for name in case.files:
        if not name.startswith("var/"):
            continue
        value, name = case[name], name.removeprefix("var/")
        if found := CONVOLUTION.search(name):
            path = f"decoder.layers.{found[1]}.attention.sublayer.compression.projection.{found[2]}"
            compressions[path] = value.reshape(-1, value.shape[-1]) if found[2] == "kernel" else value
            continue
        for pattern, word in WORDS:
            name = re.sub(pattern, word, name)
        if name.endswith("/wqkv"):  # (heads, 1, dim, 3 · depth)
            q, k, v = (part[:, 0].transpose(1, 0, 2) for part in np.split(value, 3, axis=-1))
            scope = name.replace("decoder_self_attention/wqkv", "multihead_attention")
            for letter, part in (("q", q), ("k", k), ("v", v)):
                weights[f"{scope}/{letter}/kernel"] = part.reshape(len(part), -1)
        elif name.endswith("/wo"):
            scope = name.replace("decoder_self_attention/wo", "multihead_attention")
            weights[f"{scope}/output_transform/kernel"] = value.reshape(-1, value.shape[-1])
        else:
            weights[name] = value
    return {**gathered(weights), **compressions}


def _model(case, meta):
    options = meta["hparams"]
    given = _named(case)
    kinds = []
    for level in range(options["num_hidden_layers"]):
        kernel = given.get(f"decoder.layers.{level}.attention.sublayer.compression.projection.kernel")
        factor = 0 if kernel is None else len(kernel) // kernel.shape[1]
        kinds.append(
            MemoryCompressedAttention(options["num_heads"], factor) if factor else Attention(options["num_heads"])
        )
    sizes = {
        "num_layers": options["num_hidden_layers"],
        "hidden_dim": options["hidden_size"],
        "intermediate_dim": options["filter_size"],
        "num_heads": options["num_heads"],
        "norm": NORMS[norms(options)],
    }
    vocabulary = Text(len(given["targets_embedding.table"]))
    if "in/inputs" in case.files:
        spaces = Label(len(given["target_space_embedding.table"]))
        model = EncoderDecoder(
            {"inputs": vocabulary, "targets": vocabulary, "target_space": spaces},
            encoder=stack_of(**sizes),
            decoder=stack_of(**sizes, attention=kinds, causal=True, reads_memory=True),
            hidden_dim=sizes["hidden_dim"],
        )
    else:
        model = TransformerLM({"targets": vocabulary}, tie="none", attention=kinds, **sizes)
    model.build()
    weights = attribute_paths(model)
    assert sorted(weights) == sorted(given)
    for path, value in given.items():
        weights[path].assign(value)
    return model


@pytest.mark.cases.with_args(is_in_turn)
def test_logits_and_loss(case, meta):
    batch = {}
    for field in ("inputs", "targets"):
        if f"in/{field}" in case.files:
            batch[field] = flat_ids(case, field)
            batch[f"{field}_segments"] = (batch[field] != 0).astype("int32")
    if "inputs" in batch:
        batch["target_space"] = np.full((len(batch["inputs"]),), case["in/target_space_id"], "int32")
    logits = _model(case, meta)(batch, training=False)
    real = batch["targets_segments"] > 0
    wanted = case["out/logits"][:, :, 0, 0]
    near(ops.convert_to_numpy(logits)[real], wanted[real], 2e-5)
    loss = CrossEntropy().call(batch["targets"], logits)
    mean = float(ops.sum(loss * real.astype("float32"))) / real.sum()
    np.testing.assert_allclose(mean, case["out/loss_training"], rtol=1e-5)
