"""Tensor2Tensor's variables by our attribute paths, for the Transformer family."""

from __future__ import annotations

import json

import numpy as np

from kt2t.layers import LayerNorm, LearnedPositions, NoamNorm
from kt2t.ops.paths import attribute_paths
from kt2t.tensor2tensor import hparams as upstream
from kt2t.tensor2tensor import variables
from kt2t.tensor2tensor.variables import path_of

__all__ = ["assign", "flat_ids", "gathered", "path_of", "sizes"]


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
    hparams = {**_norms_by_variables(numbers), **json.loads(str(numbers["meta"]))["hparams"]}
    learned = hparams.get("pos") == "emb"
    norm = {"layer": LayerNorm, "noam": NoamNorm}[hparams.get("norm_type") or "layer"]
    return {
        **upstream.sizes(hparams),
        "positions": LearnedPositions(upstream.max_length(hparams)) if learned else None,
        "normalization": norm(hparams.get("norm_epsilon") or 1e-6),
    }


def _norms_by_variables(numbers: np.lib.npyio.NpzFile) -> dict:
    """Where the norms stand, for a file that tells only of its hparams' set: pre-norm stacks end in one."""
    last = any("/decoder/layer_prepostprocess/" in name for name in numbers.files)
    before, behind = ("n", "da") if last else ("none", "dan")
    return {"layer_preprocess_sequence": before, "layer_postprocess_sequence": behind}


def flat_ids(numbers: np.lib.npyio.NpzFile, field: str) -> np.ndarray:
    """(batch, time) from upstream's (batch, time, 1, 1)."""
    ids = numbers[f"in/{field}"]
    return ids.reshape(ids.shape[:2])
