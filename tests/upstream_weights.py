"""Tensor2Tensor's variables by our attribute paths, for the Transformer family."""

from __future__ import annotations

import json
import re

import numpy as np

from kt2t.ops.paths import attribute_paths

_LEAVES = {
    "layer_norm_scale": "scale",
    "layer_norm_bias": "shift",
    "q/kernel": "query.kernel",
    "k/kernel": "key.kernel",
    "v/kernel": "value.kernel",
    "output_transform/kernel": "output_projection.kernel",
    "conv1/kernel": "widen.kernel",
    "conv1/bias": "widen.bias",
    "conv2/kernel": "narrow.kernel",
    "conv2/bias": "narrow.bias",
}
_SUBLAYERS = {"self_attention": "attention", "encdec_attention": "cross_attention", "ffn": "feed_forward"}
_TABLES = {
    "shared": "targets_embedding.table",
    "input_emb": "inputs_embedding.table",
    "target_emb": "targets_embedding.table",
    "softmax": "head.table",
}


def path_of(name: str) -> str:
    """Our attribute path of an upstream variable."""
    inside = re.search(r"body/(?:\w+/)*?(encoder|decoder)/(?:layer_(\d+)/(\w+)/)?(.*)$", name)
    if inside:
        stack, level, sublayer, leaf = inside.groups()
        if level is None:
            return f"{stack}.norm.{_LEAVES[leaf.rpartition('/')[2]]}"
        within = f"{stack}.layers.{level}.{_SUBLAYERS[sublayer]}"
        leaf = leaf.removeprefix("multihead_attention/")
        if "layer_norm" in leaf:
            return f"{within}.norm.{_LEAVES[leaf.rpartition('/')[2]]}"
        return f"{within}.sublayer.{_LEAVES[leaf]}"
    if "target_space_embedding" in name:
        return "target_space_embedding.table"
    table = re.search(r"symbol_modality_\w+/(\w+)/weights_\d+$", name)
    if table:
        return _TABLES[table.group(1)]
    if "class_label_modality" in name:
        return f"head.dense.{name.rpartition('/')[2]}"
    raise KeyError(name)


def gathered(numbers: np.lib.npyio.NpzFile, kind: str) -> dict[str, np.ndarray]:
    """All arrays of one kind (`var`, `grad`) by our paths; shards of a table become one."""
    parts: dict[str, list[np.ndarray]] = {}
    names = [name for name in numbers.files if name.startswith(f"{kind}/")]
    for name in sorted(names, key=_in_order):
        parts.setdefault(path_of(name), []).append(numbers[name])
    return {path: np.concatenate(arrays) if len(arrays) > 1 else arrays[0] for path, arrays in parts.items()}


def _in_order(name: str) -> list:
    """Shard 10 comes after shard 9."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name)]


def assign(model, numbers: np.lib.npyio.NpzFile) -> None:
    """Gives the model every upstream weight; fails if one is missing on either side."""
    weights, given = attribute_paths(model), gathered(numbers, "var")
    assert sorted(weights) == sorted(given)
    for path, value in given.items():
        assert tuple(weights[path].shape) == value.shape, path
        weights[path].assign(value)


def sizes(numbers: np.lib.npyio.NpzFile) -> dict:
    """Our options for an upstream case, from its own hparams."""
    hparams = json.loads(str(numbers["meta"]))["hparams"]
    layers = hparams["num_hidden_layers"]
    return {
        "num_layers": layers,
        "hidden_dim": hparams["hidden_size"],
        "intermediate_dim": hparams["filter_size"],
        "num_heads": hparams["num_heads"],
        "key_dim": hparams.get("attention_key_channels") or None,
        "value_dim": hparams.get("attention_value_channels") or None,
        "norm": "post" if hparams.get("layer_postprocess_sequence") == "dan" else "pre",
        "encoder_layers": hparams.get("num_encoder_layers") or None,
        "decoder_layers": hparams.get("num_decoder_layers") or None,
    }


def flat_ids(numbers: np.lib.npyio.NpzFile, field: str) -> np.ndarray:
    """(batch, time) from upstream's (batch, time, 1, 1)."""
    ids = numbers[f"in/{field}"]
    return ids.reshape(ids.shape[:2])
