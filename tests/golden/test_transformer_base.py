"""The Transformer family against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from golden_models import check_decoded
from keras import ops
from upstream_weights import assign, flat_ids, gathered, sizes

from kt2t.features import Label, Text
from kt2t.losses.cross_entropy import CrossEntropy
from kt2t.models import writer
from kt2t.models.transformer import Transformer
from kt2t.models.transformer_encoder import TransformerEncoder
from kt2t.models.transformer_lm import TransformerLM
from kt2t.ops.paths import attribute_paths
from kt2t.ops.segments import shift_right
from kt2t.tensor2tensor.hparams import ATTENTIONS, FEED_FORWARDS

PREFIXES = {"prepend_inputs_masked_attention": "causal", "prepend_inputs_full_attention": "full"}


def is_plain(meta):
    """a Transformer of plain, relative, proximity or hard attention and feed-forward networks"""
    plain = {
        "multiply_embedding_mode": "sqrt_depth",
    }
    options = meta.get("hparams", {})
    return (
        meta.get("model") in ("transformer", "transformer_encoder", "attention_lm")
        and not {"known_defect", "shim", "upstream_patch"} & set(meta)
        and options.get("self_attention_type") in (None, *ATTENTIONS, "dot_product_relative_v2")
        and all((options.get(name) or value) == value for name, value in plain.items())
        and options.get("ffn_layer") in (None, *FEED_FORWARDS)
        and options.get("pos") in (None, "timing", "emb")
        and options.get("norm_type") in (None, "layer", "noam")
        and set((meta.get("problem") or {"modality": {}})["modality"].values()) <= {"symbol", "class_label"}
    )


def writes_text(meta):
    """a Transformer that writes text"""
    return is_plain(meta) and meta["model"] != "transformer_encoder" and "out/logits" in meta["arrays"]


def labels_text(meta):
    """a Transformer's encoder that labels texts"""
    return is_plain(meta) and meta["model"] == "transformer_encoder" and "out/logits" in meta["arrays"]


def decodes(meta):
    """what a Transformer decoded"""
    return is_plain(meta) and any(name.startswith("out/outputs_") for name in meta["arrays"])


def _options(case):
    return json.loads(str(case["meta"]))["hparams"]


def _vocabulary_sizes(numbers):
    """Rows of the inputs' table and of what is predicted."""
    given = gathered(numbers, "var")
    targets = given["targets_embedding.table"] if "targets_embedding.table" in given else given["head.dense.bias"]
    return len(given.get("inputs_embedding.table", targets)), len(targets)


def _model(case):
    options = sizes(case)
    inputs, targets = _vocabulary_sizes(case)
    prefix = PREFIXES.get(_options(case).get("prepend_mode"))
    tie = "none" if any("softmax/weights" in name for name in case.files) else "all"
    if "in/inputs" in case.files:
        features = {"inputs": Text(inputs), "targets": Text(targets), "target_space": Label(_spaces(case))}
        model = Transformer(features, tie=tie, **options)
    else:
        options["num_layers"] = options.pop("decoder_layers") or options["num_layers"]
        del options["encoder_layers"]
        features = {"inputs": Text(targets)} if prefix else {}
        model = TransformerLM({**features, "targets": Text(targets)}, prefix=prefix or "causal", tie=tie, **options)
    model.build()
    assign(model, case)
    return model


def _spaces(case):
    """Rows of the table of target spaces."""
    return len(gathered(case, "var")["target_space_embedding.table"])


@pytest.fixture(autouse=True)
def _shifts_as_upstream(request, monkeypatch):
    """Upstream's first position of a later segment reads the token before it; ours reads the zero vector."""
    if "case" in request.fixturenames and "in/targets_segmentation" in request.getfixturevalue("case").files:
        monkeypatch.setattr(writer, "shift_right", lambda x, segments: shift_right(x))


def _batch(case):
    """The features, and where in upstream's sequence each position of the targets stands."""
    if _options(case).get("prepend_mode") in PREFIXES:
        return _apart(flat_ids(case, "targets"))
    batch = {}
    for field in ("inputs", "targets"):
        if f"in/{field}" in case.files:
            batch[field] = flat_ids(case, field)
            packed = f"in/{field}_segmentation"
            batch[f"{field}_segments"] = case[packed] if packed in case.files else (batch[field] != 0).astype("int32")
    rows, length = batch["targets" if "targets" in batch else "inputs"].shape
    batch["target_space"] = np.full((rows,), case["in/target_space_id"], "int32")
    return batch, np.broadcast_to(np.arange(length), (rows, length))


def _apart(together):
    """Inputs, a zero and targets in one row, as two fields, each padded behind."""
    rows, length = together.shape
    zero = (together == 0).argmax(axis=1)[:, None]
    index = np.arange(length)[None]
    batch = {"inputs": together[:, : zero.max()] * (index < zero)[:, : zero.max()]}
    where = np.minimum(zero + 1 + index[:, : length - zero.min() - 1], length)
    batch["targets"] = np.take_along_axis(np.pad(together, [(0, 0), (0, 1)]), where, axis=1)
    segments = {f"{field}_segments": (ids != 0).astype("int32") for field, ids in batch.items()}
    return {**batch, **segments}, np.minimum(where, length - 1)


@pytest.mark.cases.with_args(writes_text)
def test_logits(case):
    batch, where = _batch(case)
    wanted = np.take_along_axis(case["out/logits"][:, :, 0, 0], where[:, :, None], axis=1)
    found = ops.convert_to_numpy(_model(case)(batch, training=False))
    read = batch["targets_segments"] > 0  # what stands at padding nobody reads, and there we do not follow upstream
    np.testing.assert_allclose(found[read], wanted[read], atol=2e-5 * np.abs(wanted).max(), rtol=0)


def _gradients(model, batch, targets, weight, smoothing):
    """Of Σ w·l / Σ w, by attribute path, and the loss itself."""
    for layer in model._flatten_layers():
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    weights = attribute_paths(model)
    per_element = CrossEntropy(label_smoothing=smoothing)

    def mean_loss():
        logits = model(batch, training=True)
        return ops.sum(per_element.call(targets, logits) * weight) / ops.sum(weight)

    if keras.backend.backend() == "jax":
        import jax

        variables = model.trainable_variables

        def stateless(values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return mean_loss()

        value, gradients = jax.value_and_grad(stateless)([variable.value for variable in variables])
        found = dict(zip(map(id, variables), gradients, strict=True))
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = mean_loss()
        variables = model.trainable_variables
        gradients = tape.gradient(value, [variable.value for variable in variables])
        found = dict(zip(map(id, variables), map(tf.convert_to_tensor, gradients), strict=True))
    return float(value), {path: np.asarray(found[id(weight)]) for path, weight in weights.items()}


def _check_loss(case, model, batch, targets, weight):
    options = json.loads(str(case["meta"]))
    smoothing = options["hparams"].get("label_smoothing", 0.0) if options["mode"] == "train" else 0.0
    loss, gradients = _gradients(model, batch, targets, weight, smoothing)
    np.testing.assert_allclose(loss, case["out/loss_training"], rtol=1e-5)
    wanted = gathered(case, "grad")
    assert not wanted or sorted(wanted) == sorted(gradients)
    for path, gradient in wanted.items():
        limit = 2e-4 * max(np.abs(gradient).max(), 1e-6)
        np.testing.assert_allclose(gradients[path], gradient, atol=limit, rtol=0, err_msg=path)


@pytest.mark.cases.with_args(writes_text)
def test_loss_and_gradients(case):
    batch, _ = _batch(case)
    weight = (batch["targets_segments"] > 0).astype("float32")
    _check_loss(case, _model(case), batch, batch["targets"], weight)


def _labeller(case):
    options = sizes(case)
    options["num_layers"] = options.pop("encoder_layers") or options["num_layers"]
    del options["decoder_layers"]
    inputs, classes = _vocabulary_sizes(case)
    features = {"inputs": Text(inputs), "targets": Label(classes), "target_space": Label(_spaces(case))}
    model = TransformerEncoder(features, include_padding=True, **options)
    model.build()
    assign(model, case)
    batch = {"inputs": flat_ids(case, "inputs")}
    batch["inputs_segments"] = (batch["inputs"] != 0).astype("int32")
    batch["target_space"] = np.full((len(batch["inputs"]),), case["in/target_space_id"], "int32")
    return model, batch


@pytest.mark.cases.with_args(labels_text)
def test_label_logits(case):
    model, batch = _labeller(case)
    wanted = case["out/logits"][:, 0, 0, 0]
    found = ops.convert_to_numpy(model(batch, training=False))
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max(), rtol=0)


@pytest.mark.cases.with_args(labels_text)
def test_label_loss_and_gradients(case):
    model, batch = _labeller(case)
    labels = case["in/targets"].reshape(-1)
    _check_loss(case, model, batch, labels, np.ones(len(labels), "float32"))


@pytest.mark.cases.with_args(decodes)
def test_decoding(case, meta):
    batch = {"inputs": flat_ids(case, "inputs")}
    batch["inputs_segments"] = (batch["inputs"] != 0).astype("int32")
    batch["target_space"] = np.full((len(batch["inputs"]),), case["in/target_space_id"], "int32")
    check_decoded(case, meta, _model(case), batch)
