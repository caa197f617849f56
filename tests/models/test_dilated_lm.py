"""The language model of dilated convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX
from model_harness import check_learns, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Greedy
from kt2t.features import Text
from kt2t.models import DilatedLM
from kt2t.ops.paths import attribute_paths

ALONE = {"targets": Text(12)}
BOTH = {"inputs": Text(12), "targets": Text(12)}


def model_of(features=ALONE):
    return DilatedLM(features, 16, 1, [1, 2, 4])


def batch_of(features, rows=8):
    return {name: value for name, value in text_batch(rows=rows).items() if name.partition("_")[0] in features}


def random_model(features):
    model = model_of(features)
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.6)
    return model


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(model_of, batch_of(ALONE), (8, 5, 12), tmp_path)
    convolutions = 3 * (2 * 16 * 32 + 32)
    assert model.count_params() == 2 * 12 * 16 + convolutions + (3 + 2 + 1) * (16 * 16 + 16)


@pytest.mark.skipif(ON_JAX, reason="its gradients are checked on JAX")
def test_it_learns():
    batch = batch_of(ALONE)
    batch["targets"][:, 0] = np.arange(2, 10)  # no two of the texts begin alike
    weight = (batch["targets_segments"] > 0).astype("float32")
    weight[:, 0] = 0  # nothing before a first token tells it
    check_learns(model_of(), batch, batch["targets"], weight, steps=100)


def test_cached_tokens_are_those_of_full_recomputation():
    model, batch = random_model(ALONE), batch_of(ALONE, rows=2)
    batch = {name: value[:, :2] for name, value in batch.items()}
    prompt = batch["targets"] * batch["targets_segments"]
    found = model.generate(batch, Greedy(), length=9)
    ids, scores = greedy_by_recomputation(model, {"targets": batch["targets"]}, 9, prompt)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="the layer's steps behind a memory are checked on JAX")
def test_behind_inputs_of_any_length_cached_tokens_are_those_of_full_recomputation():
    model, batch = random_model(BOTH), batch_of(BOTH, rows=4)
    found = model.generate(batch, Greedy(), length=9)
    ids, scores = greedy_by_recomputation(model, batch, 9)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    assert not model.takes_packed_rows and model_of().takes_packed_rows
