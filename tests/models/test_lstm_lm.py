"""The language model of LSTMs, or of other recurrent layers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers
from model_harness import check_learns, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Greedy
from kt2t.features import Text
from kt2t.layers import BidirectionalStack, GRUStack, LSTMStack
from kt2t.models import LSTMLM, LanguageModel
from kt2t.ops.paths import attribute_paths

FEATURES = {"targets": Text(12)}
SIZES = {"num_layers": 2, "hidden_dim": 16, "dropout": 0.0}


def batch_of(rows=8):
    return {name: value for name, value in text_batch(rows=rows).items() if name.startswith("targets")}


def random_model(features=FEATURES, **options):
    model = LSTMLM(features, **SIZES, **options)
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.6)
    return model


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(lambda: LSTMLM(FEATURES, **SIZES), batch_of(), (8, 5, 12), tmp_path)
    assert model.count_params() == 2 * 12 * 16 + 2 * (2 * 16 * 64 + 64)


def test_it_learns():
    model, batch = LSTMLM(FEATURES, 1, 32, 0.0, tie="all"), batch_of()
    batch["targets"][:, 0] = np.arange(2, 10)  # no two of the texts begin alike
    weight = (batch["targets_segments"] > 0).astype("float32")
    weight[:, 0] = 0  # nothing before a first token tells it
    check_learns(model, batch, batch["targets"], weight, steps=120)


def test_cached_tokens_are_those_of_full_recomputation():
    model = random_model(stack=GRUStack(2, 16))
    batch = {name: value[:, :2] for name, value in batch_of(rows=2).items()}
    prompt = batch["targets"] * batch["targets_segments"]
    found = model.generate(batch, Greedy(), length=7)
    ids, scores = greedy_by_recomputation(model, {"targets": batch["targets"]}, 7, prompt)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)


def test_packed_is_padded():
    model, texts = random_model(), ([7, 8, 9, 1], [4, 1], [5, 3, 1])
    ids = np.array([[*sum(texts, []), 0]])
    segments = np.array([[1, 1, 1, 1, 2, 2, 3, 3, 3, 0]], "int32")
    logits = numbers(forward(model)({"targets": ids, "targets_segments": segments}))[0]
    for number, text in enumerate(texts, 1):
        alone = numbers(forward(model)({"targets": np.array([text])}))[0]
        np.testing.assert_allclose(logits[segments[0] == number], alone, atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="tie: all needs a stack as wide as its embeddings, and it has 8 units for 16"):
        LSTMLM(FEATURES, **SIZES, tie="all", stack=GRUStack(1, 8))
    with pytest.raises(ValueError, match="decoder: BidirectionalStack reads later positions, so it cannot write"):
        LanguageModel(FEATURES, BidirectionalStack(LSTMStack(1, 8)), 16)
