"""The Neural GPU against Tensor2Tensor's own numbers, given its weights.

Tensor2Tensor's diagonal one is no oracle: it returns the state after the first step. `tests/models` has the paper's formula.
"""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from harness import forward, numbers
from keras import ops
from upstream_weights import flat_ids

from kt2t.features import Text
from kt2t.losses import CrossEntropy
from kt2t.models import NeuralGPU
from kt2t.ops.paths import attribute_paths

TABLES = {"input_emb": "inputs_embedding.table", "softmax": "head.table"}
PARTS = {"reset": "reset", "gate": "update", "candidate": "candidate"}
UNIT = re.compile(r"/cgru_(\d+)/(\w+)_single/(kernel|bias)$")
TABLE = re.compile(r"/(input_emb|target_emb|softmax)/weights_(\d+)$")


def is_neural_gpu(meta):
    """a Neural GPU"""
    return meta.get("model") == "neural_gpu"


pytestmark = pytest.mark.cases.with_args(is_neural_gpu)


def by_path(case, kind):
    """Arrays of one kind (`var`, `grad`) by our paths, without the table of the targets, which nothing reads."""
    found = {}
    for name in sorted(case.files):
        if not name.startswith(f"{kind}/"):
            continue
        if unit := UNIT.search(name):
            level, part, leaf = unit.groups()
            array = case[name][:, 0] if leaf == "kernel" else case[name]
            found[f"encoder.units.{level}.{PARTS[part]}.{leaf}"] = array
        elif (table := TABLE.search(name)[1]) in TABLES:
            found.setdefault(TABLES[table], []).append(case[name])
    return {path: np.concatenate(value) if isinstance(value, list) else value for path, value in found.items()}


def model_of(case):
    weights = by_path(case, "var")
    kernel = weights["encoder.units.0.reset.kernel"]
    units = {path.split(".")[2] for path in weights if path.startswith("encoder.units.")}
    features = {"inputs": Text(len(weights[TABLES["input_emb"]])), "targets": Text(len(weights[TABLES["softmax"]]))}
    model = NeuralGPU(features, len(units), kernel.shape[1], len(kernel), include_padding=True)
    model.build()
    ours = attribute_paths(model)
    assert sorted(weights) == sorted(path for path in ours if not path.startswith("encoder.seed_generator"))
    for path, value in weights.items():
        ours[path].assign(value)
    return model


def batch_of(case):
    batch = {field: flat_ids(case, field) for field in ("inputs", "targets")}
    return {**batch, **{f"{field}_segments": (ids != 0).astype("int32") for field, ids in batch.items()}}


def test_logits(case):
    """Beyond the targets upstream has logits too, which nobody reads."""
    batch, wanted = batch_of(case), case["out/logits"][:, :, 0, 0]
    found, real = numbers(forward(model_of(case), training=False)(batch)), batch["targets_segments"] > 0
    np.testing.assert_allclose(found[real], wanted[real], atol=2e-5 * np.abs(wanted).max(), rtol=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the same code gives JAX's logits above")
def test_loss_and_gradients(case):
    import tensorflow as tf

    model, batch, wanted = model_of(case), batch_of(case), by_path(case, "grad")
    weight = (batch["targets_segments"] > 0).astype("float32")
    weights = {path: one for path, one in attribute_paths(model).items() if path in wanted}
    with tf.GradientTape() as tape:
        each = CrossEntropy().call(batch["targets"], model(batch, training=False))
        loss = ops.sum(each * weight) / weight.sum()
    np.testing.assert_allclose(float(loss), case["out/loss_training"], rtol=1e-5)
    found = tape.gradient(loss, [one.value for one in weights.values()])
    for path, gradient in zip(weights, found, strict=True):
        limit = 2e-4 * np.abs(wanted[path]).max()
        np.testing.assert_allclose(numbers(tf.convert_to_tensor(gradient)), wanted[path], atol=limit, err_msg=path)
