"""The LSTM models against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from golden_means import near
from keras import ops
from upstream_weights import flat_ids

from kt2t.features import Label, Text
from kt2t.layers import BahdanauAttention, LuongAttention
from kt2t.losses import CrossEntropy
from kt2t.models import LSTMLM, LSTMReader, LSTMSeq2Seq
from kt2t.ops.paths import attribute_paths

# Patterns of the names of upstream's variables, and our paths. A cell's kernel and bias are converted by `_of_cell`.
PATHS = [
    (r"/input_emb/weights_\d+$", "inputs_embedding.table"),
    (r"/target_emb/weights_\d+$", "targets_embedding.table"),
    (r"/softmax/weights_\d+$", "head.table"),
    (r"class_label_modality.*/dense/(kernel|bias)$", r"head.dense.\1"),
    (r"/memory_layer/kernel$", "decoder.attention.memory_projection.kernel"),
    (r"/query_layer/kernel$", "decoder.attention.query_projection.kernel"),
    (r"/attention_v$", "decoder.attention.score"),
    (r"/attention_layer(?:_\d+)?/kernel$", "decoder.attention.output_projection.kernel"),
    (r"/decoder/dense/(kernel|bias)$", r"decoder.output_projection.\1"),
    (r"/encoder/rnn/.*/cell_(\d+)/lstm_cell/(\w+)$", r"encoder.layers.\1.\2"),
    (r"/encoder/bidirectional_rnn/fw/.*/cell_(\d+)/lstm_cell/(\w+)$", r"encoder.forward.layers.\1.\2"),
    (r"/encoder/bidirectional_rnn/bw/.*/cell_(\d+)/lstm_cell/(\w+)$", r"encoder.backward.layers.\1.\2"),
    (r"/decoder/rnn/multi_rnn_cell/cell_(\d+)/lstm_cell/(\w+)$", r"decoder.layers.\1.\2"),
    (r"/decoder/rnn/wrap/multi_rnn_cell/cell_(\d+)/lstm_cell/(\w+)$", r"decoder.stack.layers.\1.\2"),
]


def is_lstm(meta):
    """a model of LSTMs"""
    return str(meta.get("model", "")).startswith("lstm_") and "out/logits" in meta["arrays"]


def _path(name):
    found = [re.search(pattern, name).expand(path) for pattern, path in PATHS if re.search(pattern, name)]
    assert len(found) == 1, (name, found)
    return found[0]


def _in_order(name):
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name)]


def _gathered(case, kind):
    """Upstream's arrays by our paths."""
    parts = {}
    for name in sorted((name for name in case.files if name.startswith(f"{kind}/")), key=_in_order):
        parts.setdefault(_path(name), []).append(case[name])
    found = {}
    for path, arrays in parts.items():
        value = np.concatenate(arrays, axis=-1 if "output_projection" in path else 0)
        if re.search(r"layers\.\d+\.\w+$", path):
            found |= _of_cell(path, value, forget_bias=1.0 if kind == "var" else 0.0)
        else:
            found[path] = value
    return found


def _of_cell(path, value, forget_bias):
    """Upstream's gates are input, candidate, forget, output; its kernel has the rows of the input and of the state."""
    i, g, f, o = np.split(value, 4, axis=-1)
    if path.endswith("bias"):
        return {path: np.concatenate([i, f + forget_bias, g, o])}
    value, units = np.concatenate([i, f, g, o], axis=-1), len(value[0]) // 4
    return {path: value[:-units], path.replace("kernel", "recurrent_kernel"): value[-units:]}


def _model(case, meta):
    given = _gathered(case, "var")
    tables = {name: table for name, table in given.items() if name.endswith("embedding.table")}
    rows = {name: len(table) for name, table in tables.items()}
    levels = {re.search(r"layers\.(\d+)\.", name)[1] for name in given if ".layers." in name}
    sizes = {"num_layers": len(levels), "hidden_dim": next(iter(tables.values())).shape[1]}
    if meta["model"] == "lstm_encoder":
        targets = Label(len(given["head.dense.bias"]))
        features = {"inputs": Text(rows["inputs_embedding.table"]), "targets": targets}
        model = LSTMReader(features, include_padding=True, **sizes)
    elif "in/inputs" not in case.files:
        model = LSTMLM({"targets": Text(rows["targets_embedding.table"])}, **sizes)
    else:
        features = {name: Text(rows[f"{name}_embedding.table"]) for name in ("inputs", "targets")}
        attention = {}
        if meta["model"].startswith("lstm_seq2seq_attention"):
            kind = BahdanauAttention if "decoder.attention.score" in given else LuongAttention
            heads = [case[name] for name in case.files if re.search(r"^var/.*/attention_layer(_\d+)?/kernel$", name)]
            attention = {"attention": kind(len(heads), heads[0].shape[1]), "include_padding": True}
        model = LSTMSeq2Seq(features, bidirectional="bidirectional" in meta["model"], **attention, **sizes)
    model.build()
    assert model.count_params() == meta["params"]
    weights = attribute_paths(model)
    assert sorted(weights) == sorted(given)
    for path, value in given.items():
        weights[path].assign(value)
    return model


def _everything(model, batch, targets, weight):
    """The logits, the mean loss, and its gradients by path."""
    weights = attribute_paths(model)

    def forward():
        logits = model(batch, training=True)
        return ops.sum(CrossEntropy().call(targets, logits) * weight) / ops.sum(weight), logits

    variables = list(weights.values())
    if keras.backend.backend() == "jax":
        import jax

        def stateless(values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return forward()

        run = jax.jit(jax.value_and_grad(stateless, has_aux=True))
        (loss, logits), gradients = run([variable.value for variable in variables])
    else:
        import tensorflow as tf

        @tf.function(jit_compile=False)
        def run():
            with tf.GradientTape() as tape:
                loss, logits = forward()
            found = tape.gradient(loss, [variable.value for variable in variables])
            return loss, logits, [tf.convert_to_tensor(one) for one in found]

        loss, logits, gradients = run()
    return np.asarray(logits), float(loss), dict(zip(weights, map(np.asarray, gradients), strict=True))


@pytest.mark.cases.with_args(is_lstm)
def test_logits_loss_and_gradients(case, meta):
    model = _model(case, meta)
    for layer in model._flatten_layers():
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    batch = {name: flat_ids(case, name) for name in ("inputs", "targets") if f"in/{name}" in case.files}
    targets = batch["targets"]
    if meta["model"] == "lstm_encoder":
        targets = batch.pop("targets").reshape(-1)
    batch |= {f"{name}_segments": (ids != 0).astype("int32") for name, ids in batch.items()}
    weight = batch.get("targets_segments", np.ones(len(targets))).astype("float32")
    logits, loss, gradients = _everything(model, batch, targets, weight)
    # Upstream's logits past the length are what zeros become; there we do not follow it, and nobody reads them.
    wanted = case["out/logits"].reshape(logits.shape)
    np.testing.assert_allclose(
        logits[weight > 0], wanted[weight > 0], atol=2e-5 * np.abs(wanted).max(), rtol=0, err_msg="logits"
    )
    np.testing.assert_allclose(loss, case["out/loss_training"], rtol=1e-5)
    wanted = _gathered(case, "grad")
    assert sorted(wanted) == sorted(gradients)
    for path, gradient in wanted.items():
        near(gradients[path], gradient, 2e-4)
