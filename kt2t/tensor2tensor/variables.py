"""Converts names of Tensor2Tensor's variables to our attribute paths and back, for the Transformer family.

    transformer/body/encoder/layer_0/self_attention/multihead_attention/q/kernel
    encoder.layers.0.attention.sublayer.query.kernel

To import another model, add its names here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

SUBLAYERS = {"self_attention": "attention", "encdec_attention": "cross_attention", "ffn": "feed_forward"}
NORMS = {"scale": "scale", "bias": "shift"}
LEAVES = {
    "multihead_attention/q/kernel": "query.kernel",
    "multihead_attention/k/kernel": "key.kernel",
    "multihead_attention/v/kernel": "value.kernel",
    "multihead_attention/output_transform/kernel": "output_projection.kernel",
    "multihead_attention/dot_product_attention_relative/relative_positions_keys/embeddings": "key_distances",
    "multihead_attention/dot_product_attention_relative/relative_positions_values/embeddings": "value_distances",
    "multihead_attention/dot_product_self_attention_relative_v2/key_relative_embeddings": "key_distances",
    "multihead_attention/dot_product_self_attention_relative_v2/value_relative_embeddings": "value_distances",
    "conv1/kernel": "widen.kernel",
    "conv1/bias": "widen.bias",
    "conv2/kernel": "narrow.kernel",
    "conv2/bias": "narrow.bias",
    "conv_hidden_relu/conv1_single/kernel": "widen.kernel",
    "conv_hidden_relu/conv1_single/bias": "widen.bias",
    "conv_hidden_relu/conv2_single/kernel": "narrow.kernel",
    "conv_hidden_relu/conv2_single/bias": "narrow.bias",
    "conv_relu_conv/conv1/kernel": "first.kernel",
    "conv_relu_conv/conv1/bias": "first.bias",
    "conv_relu_conv/conv2/kernel": "second.kernel",
    "conv_relu_conv/conv2/bias": "second.bias",
    "conv_hidden_relu/conv1_single/depthwise_kernel": "first_depthwise",
    "conv_hidden_relu/conv1_single/pointwise_kernel": "widen.kernel",
    "conv_hidden_relu/conv2_single/depthwise_kernel": "second_depthwise",
    "conv_hidden_relu/conv2_single/pointwise_kernel": "narrow.kernel",
    "parameter_attention/q_transform/kernel": "query.kernel",
    "parameter_attention/output_transform/kernel": "output_projection.kernel",
    "parameter_attention/k": "keys",
    "parameter_attention/v": "values",
}
WHOLE = {
    "target_space_embedding/kernel": "target_space_embedding.table",
    "inputs_positional_embedding": "encoder.positions.table",
    "targets_positional_embedding": "decoder.positions.table",
}
# `shared` is also the inputs' table if both sides have one vocabulary.
TABLES = {
    "shared": "targets_embedding.table",
    "input_emb": "inputs_embedding.table",
    "target_emb": "targets_embedding.table",
    "softmax": "head.table",
}

_IN_STACK = re.compile(r"/(encoder|decoder)/(?:layer_(\d+)/(\w+)/)?(.*)$")
_NORM = re.compile(r"layer_(?:prepostprocess|preprocess|postprocess)/(?:layer_norm|l2_norm)/\w+_norm_(scale|bias)$")
_TABLE = re.compile(r"symbol_modality_(\d+)_\d+/(\w+)/weights_\d+$")
_PLACE = re.compile(r"(?<=/)(conv\d)_\d+(?=/\w+$)")  # one matrix for each place of a window; ours is one for all of them
_OURS = re.compile(r"(encoder|decoder)\.(?:layers\.(\d+)\.(\w+)\.)?(norm|sublayer)\.(.*)$")


def path_of(name: str, source_size: int | None = None) -> str:
    """Converts the name of a Tensor2Tensor variable to our attribute path.

    Args:
        name: The name with its scopes, such as `transformer/body/…`.
        source_size: Number of rows of the inputs' table, if inputs and targets each have a vocabulary.

    Raises:
        KeyError: Our model has no such weight.
    """
    if found := _IN_STACK.search(name):
        return _path_in_stack(name, *found.groups())
    if found := _TABLE.search(name):
        rows, table = found.groups()
        return "inputs_embedding.table" if table == "shared" and int(rows) == source_size else TABLES[table]
    if "class_label_modality" in name:
        return f"head.dense.{name.rpartition('/')[2]}"
    for whole, path in WHOLE.items():
        if name.endswith(f"/{whole}"):
            return path
    raise KeyError(name)


def name_of(path: str) -> str:
    """Converts our attribute path to the Transformer's name in Tensor2Tensor, without outer scopes.

    Tables are named as if unsharded. Where several of its layers have a name for one path, the first of `LEAVES` counts.

    Raises:
        KeyError: Tensor2Tensor has no such variable.
    """
    back = {ours: name for table in (LEAVES, WHOLE, TABLES) for name, ours in reversed(table.items())}
    found = _OURS.match(path)
    if not found:
        return back[path]
    stack, level, sublayer, part, leaf = found.groups()
    within = f"{stack}/"
    if level is not None:
        within += f"layer_{level}/{_keys(SUBLAYERS)[sublayer]}/"
    return within + (
        back[leaf] if part == "sublayer" else f"layer_prepostprocess/layer_norm/layer_norm_{_keys(NORMS)[leaf]}"
    )


def gathered(variables: Mapping[str, np.ndarray], source_size: int | None = None) -> dict[str, np.ndarray]:
    """Returns Tensor2Tensor's arrays under our attribute paths, with the shards of each table joined.

    Raises:
        KeyError: Our model does not have one of the variables.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for name in sorted(variables, key=_in_order):
        parts.setdefault(path_of(name, source_size), []).append(_without_unit_axes(name, variables[name]))
    return {path: np.concatenate(arrays) if len(arrays) > 1 else arrays[0] for path, arrays in parts.items()}


def _path_in_stack(name: str, stack: str, level: str | None, sublayer: str | None, leaf: str) -> str:
    norm, leaf = _NORM.match(leaf), _PLACE.sub(r"\1", leaf)
    if level is None:
        if norm is None:
            raise KeyError(name)
        return f"{stack}.norm.{NORMS[norm[1]]}"
    if sublayer not in SUBLAYERS or (norm is None and leaf not in LEAVES):
        raise KeyError(name)
    within = f"{stack}.layers.{level}.{SUBLAYERS[sublayer]}"
    return f"{within}.sublayer.{LEAVES[leaf]}" if norm is None else f"{within}.norm.{NORMS[norm[1]]}"


def _without_unit_axes(name: str, kernel: np.ndarray) -> np.ndarray:
    """Returns a kernel along time without the axes of width 1 that upstream keeps for pictures.

    A depthwise kernel is (width, 1, channels, 1); a pointwise one, or a convolution of width 1, is (1, 1, input, output).
    """
    if name.endswith("_single/depthwise_kernel"):
        return kernel.reshape(len(kernel), -1)
    return kernel.reshape(kernel.shape[-2:]) if name.endswith(("_single/pointwise_kernel", "_single/kernel")) else kernel


def _keys(table: Mapping[str, str]) -> dict[str, str]:
    return {value: key for key, value in table.items()}


def _in_order(name: str) -> list[int | str]:
    """Returns a sort key that compares numbers by value, so that shard 10 comes after shard 9."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name)]
