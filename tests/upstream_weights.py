"""Tensor2Tensor's variables by our attribute paths, for the Transformer family."""

from __future__ import annotations

import json

import numpy as np

from kt2t.ops.paths import attribute_paths
from kt2t.registry import build
from kt2t.tensor2tensor import hparams as upstream
from kt2t.tensor2tensor import variables
from kt2t.tensor2tensor.variables import path_of

__all__ = ["assign", "flat_ids", "gathered", "hparams", "path_of", "sizes"]


def gathered(numbers: np.lib.npyio.NpzFile, kind: str) -> dict[str, np.ndarray]:
    """All arrays of one kind (`var`, `grad`) by our paths; shards of a table become one."""
    names = [name for name in numbers.files if name.startswith(f"{kind}/")]
    rows = (json.loads(str(numbers["meta"])).get("problem") or {}).get("vocab_size", {})
    source_size = rows.get("inputs") if rows.get("inputs") != rows.get("targets") else None
    return variables.gathered({name: numbers[name] for name in names}, source_size)


def assign(model, numbers: np.lib.npyio.NpzFile) -> None:
    """Gives the model every upstream weight; fails if one is missing on either side."""
    weights, given = attribute_paths(model), gathered(numbers, "var")
    assert sorted(weights) == sorted(given)
    for path, value in given.items():
        assert tuple(weights[path].shape) == value.shape, path
        weights[path].assign(value)


def sizes(numbers: np.lib.npyio.NpzFile) -> dict:
    """Our options for an upstream case, from its own hparams."""
    found = upstream.sizes(hparams(numbers))
    return {name: build(value) for name, value in found.items()}


def hparams(numbers: np.lib.npyio.NpzFile) -> dict:
    """An upstream case's hparams, with what a file that tells only of its set and its sizes leaves out."""
    meta = json.loads(str(numbers["meta"]))
    told = {name: value for name, value in meta["hparams"].items() if value is not None or name == "pos"}
    return {**_by_variables(numbers), **told}


def _by_variables(numbers: np.lib.npyio.NpzFile) -> dict:
    """Where the norms stand, since pre-norm stacks end in one; relative attention, which has tables and no positions."""
    last = any("/decoder/layer_prepostprocess/" in name for name in numbers.files)
    before, behind = ("n", "da") if last else ("none", "dan")
    found = {"layer_preprocess_sequence": before, "layer_postprocess_sequence": behind}
    if any("/dot_product_attention_relative/" in name for name in numbers.files):
        found |= {"self_attention_type": "dot_product_relative", "pos": None}
    return found


def flat_ids(numbers: np.lib.npyio.NpzFile, field: str) -> np.ndarray:
    """(batch, time) from upstream's (batch, time, 1, 1)."""
    ids = numbers[f"in/{field}"]
    return ids.reshape(ids.shape[:2])
