"""The language model with experts between two LSTMs."""

from __future__ import annotations

import numpy as np
from model_harness import check_learns, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Greedy
from kt2t.features import Text
from kt2t.layers import MixtureOfExperts
from kt2t.models import LSTMExperts
from kt2t.ops.paths import attribute_paths

FEATURES = {"targets": Text(12)}


def model_of(**options):
    return LSTMExperts(FEATURES, 16, MixtureOfExperts(4, 8, noisy=False), dropout=0.0, **options)


def batch_of(rows=8):
    return {name: value for name, value in text_batch(rows=rows).items() if name.startswith("targets")}


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(model_of, batch_of(), (8, 5, 12), tmp_path)
    assert model.count_params() == 2 * 12 * 16 + 2 * 4 * (32 * 16 + 16) + 16 * 4 + 4 * 2 * 16 * 8


def test_it_learns():
    batch = batch_of()
    batch["targets"][:, 0] = np.arange(2, 10)  # no two of the texts begin alike
    weight = (batch["targets_segments"] > 0).astype("float32")
    weight[:, 0] = 0  # nothing before a first token tells it
    check_learns(model_of(), batch, batch["targets"], weight, steps=120)


def test_cached_tokens_are_those_of_full_recomputation():
    model = model_of()
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.6)
    batch = batch_of(rows=2)
    batch = {name: value[:, :2] for name, value in batch.items()}
    prompt = batch["targets"] * batch["targets_segments"]
    found = model.generate(batch, Greedy(), length=7)
    ids, scores = greedy_by_recomputation(model, {"targets": batch["targets"]}, 7, prompt)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
