"""The Evolved Transformer as a whole. `golden/` has its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, counted_on_tensorflow, forward, numbers
from model_harness import beams_by_recomputation, check_learns, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Text
from kt2t.models import EvolvedTransformer
from kt2t.ops.paths import attribute_paths

FEATURES = {"inputs": Text(12), "targets": Text(12)}
SIZES = {"encoder_layers": 1, "decoder_layers": 1, "hidden_dim": 16, "num_heads": 2}


def random_model():
    """A model with large weights, whose distributions are far from even."""
    model = EvolvedTransformer(FEATURES, **SIZES)
    model.build()
    random = np.random.default_rng(4)
    for path, weight in attribute_paths(model).items():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * (0.6 if "table" in path else 0.4))
    return model


def test_it_is_a_model_like_any(tmp_path):
    check_model(lambda: EvolvedTransformer(FEATURES, **SIZES, dropout=0.0), text_batch(), (8, 5, 12), tmp_path)


@counted_on_tensorflow
def test_tensor2tensors_set_has_its_number_of_weights():
    """evolved_transformer_base: 63,814,656 with 32,768 words, one table and 32 target spaces."""
    text = Text(50)
    model = EvolvedTransformer({"inputs": text, "targets": text, "target_space": Label(32)})
    model.build()
    assert model.count_params() + (32_768 - 50) * 512 == 63_814_656


def test_cached_is_recomputed():
    model, batch = random_model(), text_batch(rows=2)
    found = model.generate(batch, Greedy(), length=14)  # longer than the window of a convolution
    ids, scores = greedy_by_recomputation(model, batch, 14)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    found = model.generate(batch, Beam(3, 0.8), length=5)
    for row, (ids, score) in enumerate(beams_by_recomputation(model, batch, 3, 0.8, 5)):
        assert found["ids"][row, 0, : len(ids)].tolist() == ids
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


def test_packed_is_padded():
    model = random_model()
    pairs = [([5, 6, 1], [7, 8, 9, 1]), ([9, 1], [4, 1]), ([3, 4, 1], [1])]
    packed = {"inputs": [], "inputs_segments": [], "targets": [], "targets_segments": []}
    for number, pair in enumerate(pairs, 1):
        for field, ids in zip(("inputs", "targets"), pair, strict=True):
            packed[field] += ids
            packed[f"{field}_segments"] += [number] * len(ids)
    logits = numbers(forward(model)({name: np.array([ids + [0, 0]]) for name, ids in packed.items()}))[0]
    padded = {name: np.zeros((3, 4), "int32") for name in packed}
    for row, pair in enumerate(pairs):
        for field, ids in zip(("inputs", "targets"), pair, strict=True):
            padded[field][row, : len(ids)], padded[f"{field}_segments"][row, : len(ids)] = ids, 1
    alone = numbers(forward(model)(padded))
    wanted = np.concatenate([alone[row, : len(target)] for row, (_, target) in enumerate(pairs)])
    np.testing.assert_allclose(logits[: len(wanted)], wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(ON_JAX, reason="training it takes long to compile; its gradients are checked in golden/")
def test_it_learns():
    model, batch = EvolvedTransformer(FEATURES, **SIZES, dropout=0.0), text_batch()
    batch["inputs"][:, 0] = np.arange(2, 10)  # so that no two sources are the same
    check_learns(model, batch, batch["targets"], (batch["targets_segments"] > 0).astype("float32"))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="num_heads: 6 heads do not divide hidden_dim 9|hidden_dim: 9 is odd"):
        EvolvedTransformer(FEATURES, hidden_dim=9, num_heads=3)
    with pytest.raises(ValueError, match="dropout: 1.5"):
        EvolvedTransformer(FEATURES, hidden_dim=16, num_heads=2, dropout=1.5)
