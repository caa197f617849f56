"""The Transformer family against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import ops
from upstream_weights import assign, flat_ids, gathered, sizes

from kt2t.decoding.beam import Beam
from kt2t.decoding.greedy import Greedy
from kt2t.features import END, Label, Text
from kt2t.losses.cross_entropy import CrossEntropy
from kt2t.models import text_decoder
from kt2t.models.transformer import Transformer
from kt2t.models.transformer_encoder import TransformerEncoder
from kt2t.models.transformer_lm import TransformerLM
from kt2t.ops.paths import attribute_paths
from kt2t.ops.segments import shift_right

SEQUENCES = [
    "transformer_base",
    "transformer_base_train",
    "transformer_base_unshared",
    "transformer_base_v1_postnorm",
    "transformer_lm",
    "transformer_packed",
]


def _vocabulary_sizes(numbers):
    """Rows of the inputs' table and of what is predicted."""
    given = gathered(numbers, "var")
    targets = given["targets_embedding.table"] if "targets_embedding.table" in given else given["head.dense.bias"]
    return len(given.get("inputs_embedding.table", targets)), len(targets)


def _model(numbers):
    options = sizes(numbers)
    inputs, targets = _vocabulary_sizes(numbers)
    if "in/inputs" not in numbers.files:
        del options["encoder_layers"], options["decoder_layers"]
        model = TransformerLM({"targets": Text(targets)}, **options)
    else:
        features = {"inputs": Text(inputs), "targets": Text(targets), "target_space": Label(32)}
        separate = any("softmax/weights" in name for name in numbers.files)
        model = Transformer(features, tie="none" if separate else "all", **options)
    model.build()
    assign(model, numbers)
    return model


@pytest.fixture(autouse=True)
def _shifts_as_upstream(request, monkeypatch):
    """Upstream's first position of a later segment reads the token before it; ours reads the zero vector."""
    if "transformer_packed" in request.node.name:
        monkeypatch.setattr(text_decoder, "shift_right", lambda x, segments: shift_right(x))


def _batch(numbers):
    batch = {}
    for field in ("inputs", "targets"):
        if f"in/{field}" in numbers.files:
            batch[field] = flat_ids(numbers, field)
            packed = f"in/{field}_segmentation"
            batch[f"{field}_segments"] = (
                numbers[packed] if packed in numbers.files else (batch[field] != 0).astype("int32")
            )
    rows = len(next(iter(batch.values())))
    batch["target_space"] = np.full((rows,), numbers["in/target_space_id"], "int32")
    return batch


@pytest.mark.parametrize("case", SEQUENCES)
def test_logits(golden, case):
    numbers = golden(case)
    batch, wanted = _batch(numbers), numbers["out/logits"][:, :, 0, 0]
    found = ops.convert_to_numpy(_model(numbers)(batch, training=False))
    read = batch["targets_segments"] > 0  # what stands at padding nobody reads, and there we do not follow upstream
    np.testing.assert_allclose(found[read], wanted[read], atol=2e-5 * np.abs(wanted).max(), rtol=0)


def _gradients(model, batch, loss):
    """Of Σ w·l / Σ w, by attribute path, and the loss itself."""
    weights = attribute_paths(model)
    per_element = CrossEntropy(label_smoothing=loss)

    def mean_loss():
        logits = model(batch, training=True)
        targets = batch["targets"]
        weight = ops.cast(batch["targets_segments"] > 0, "float32")
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


@pytest.mark.parametrize("case", SEQUENCES)
def test_loss_and_gradients(golden, case):
    numbers = golden(case)
    meta = json.loads(str(numbers["meta"]))
    model = _model(numbers)
    for layer in model._flatten_layers():
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    smoothing = meta["hparams"].get("label_smoothing", 0.1 if case.endswith("_train") else 0.0)
    loss, gradients = _gradients(model, _batch(numbers), smoothing if case.endswith("_train") else 0.0)
    np.testing.assert_allclose(loss, numbers["out/loss_training"], rtol=1e-5)
    wanted = gathered(numbers, "grad")
    if not wanted:
        pytest.skip(f"{case} has no gradients upstream")
    assert sorted(wanted) == sorted(gradients)
    for path, gradient in wanted.items():
        np.testing.assert_allclose(
            gradients[path], gradient, atol=2e-4 * max(np.abs(gradient).max(), 1e-6), rtol=0, err_msg=path
        )


def test_label_logits(golden):
    numbers = golden("transformer_encoder_cls")
    options = {k: v for k, v in sizes(numbers).items() if k not in ("encoder_layers", "decoder_layers")}
    inputs, classes = _vocabulary_sizes(numbers)
    features = {"inputs": Text(inputs), "targets": Label(classes), "target_space": Label(32)}
    model = TransformerEncoder(features, **options)
    model.build()
    assign(model, numbers)
    batch = {"inputs": flat_ids(numbers, "inputs")}
    batch["inputs_segments"] = (batch["inputs"] != 0).astype("int32")
    batch["target_space"] = np.full((len(batch["inputs"]),), numbers["in/target_space_id"], "int32")
    full = batch["inputs_segments"].all(axis=1)  # upstream's mean reads what its encoder leaves at padding
    assert full.any()
    wanted = numbers["out/logits"][full, 0, 0, 0]
    found = ops.convert_to_numpy(model(batch, training=False))[full]
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max(), rtol=0)


def _up_to_end(ids):
    ids = list(ids)
    return ids[: ids.index(END) + 1] if END in ids else ids


def test_decoding(golden):
    numbers = golden("decode_transformer_base")
    model = _model(numbers)
    batch = {"inputs": flat_ids(numbers, "inputs")}
    batch["inputs_segments"] = (batch["inputs"] != 0).astype("int32")
    batch["target_space"] = np.full((len(batch["inputs"]),), numbers["in/target_space_id"], "int32")
    length = numbers["out/outputs_greedy"].shape[1]
    for name in [name for name in numbers.files if name.startswith("out/outputs_")]:
        wanted = numbers[name]
        scores = numbers[name.replace("outputs", "scores")]
        search = _search_of(name, wanted)
        found = model.generate(batch, search, length=length)
        wanted = wanted.reshape(len(wanted), -1, wanted.shape[-1])
        scores = scores.reshape(wanted.shape[:2])
        for row in range(len(wanted)):
            for place in range(wanted.shape[1]):
                ids, score = wanted[row, place], scores[row, place]
                if score < -1e6:  # upstream's empty place; ours holds a hypothesis still running
                    continue
                assert _up_to_end(found["ids"][row, place])[: len(_up_to_end(ids))] == _up_to_end(ids), (name, row)
                if END not in ids and isinstance(search, Beam):  # upstream leaves these scores without the penalty
                    score = score / ((5 + found["ids"].shape[2]) / 6) ** search.length_penalty
                np.testing.assert_allclose(found["scores"][row, place], score, atol=1e-4, err_msg=name)


def _search_of(name, wanted):
    if "greedy" in name:
        return Greedy()
    beams, penalty = name.partition("beam")[2].split("_")[:2]
    penalty = float(f"{penalty[1]}.{penalty[2:] or 0}")
    n_best = wanted.shape[1] if wanted.ndim == 3 else 1
    return Beam(int(beams), penalty, n_best, early_stopping=n_best == 1)
