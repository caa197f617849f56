"""SliceNet as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import beams_by_recomputation, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Text
from kt2t.models import SliceNet
from kt2t.ops.paths import attribute_paths

FEATURES = {"inputs": Text(12), "targets": Text(12), "target_space": Label(3)}
SIZES = {
    "num_layers": 1,
    "hidden_dim": 8,
    "num_heads": 2,
    "kernel_sizes": [2, 3, 3, 5],
    "parts": [2, 1],
    "dropout": 0.0,
    "attention_dropout": 0.0,
}


def batch_of(**sizes):
    batch = text_batch(**sizes)
    return {**batch, "target_space": np.arange(len(batch["inputs"]), dtype="int32") % 3}


def random_model(**options):
    model = SliceNet(FEATURES, **{**SIZES, **options})
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.6)
    return model


@pytest.mark.skipif(ON_JAX, reason="tests/golden has its logits and gradients on JAX")
def test_it_is_a_model_like_any(tmp_path):
    check_model(lambda: SliceNet(FEATURES, **SIZES), batch_of(), (8, 5, 12), tmp_path)


@pytest.mark.skipif(ON_JAX, reason="many weights, of the same shapes")
def test_the_sizes_of_tensor2tensor():
    """63,093,504 weights with 32,768 shared words and the target space, as in slicenet_1."""
    features = {"inputs": Text(32_768), "targets": Text(32_768), "target_space": Label(32)}
    model = SliceNet(features)
    model.build()
    assert model.count_params() == 63_093_504


def test_cached_tokens_are_those_of_full_recomputation():
    model, batch = random_model(), batch_of(rows=3)
    if ON_JAX:
        found = model.generate(batch, Greedy(), length=7)
        ids, scores = greedy_by_recomputation(model, batch, 7)
        assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
        np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
        return
    found = model.generate(batch, Beam(2, 0.8), length=5)
    for row, (best, score) in enumerate(beams_by_recomputation(model, batch, 2, 0.8, 5)):
        assert found["ids"][row, 0, : len(best)].tolist() == best
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="the same code as in the tests before")
def test_the_target_space_stands_in_front_of_the_targets():
    model, batch = random_model(), batch_of(rows=2)
    before = numbers(model(batch))
    assert np.abs(numbers(model({**batch, "target_space": np.array([2, 2])})) - before)[:, 0].max() > 1e-2
    x = model.targets_embedding(batch["targets"])
    first = numbers(model.target_space_embedding(batch["target_space"]))[:, None]
    x = np.concatenate([first, numbers(x)[:, :-1]], axis=1)
    states = model.decoder(x, batch["targets_segments"], memory=model.encode(batch))
    real = batch["targets_segments"] > 0
    np.testing.assert_allclose(before[real], numbers(model.logits(states))[real], atol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="the same code as in the tests before")
def test_packed_is_padded():
    model = SliceNet({"inputs": Text(12), "targets": Text(12)}, **SIZES)
    pairs = [([5, 6, 1], [7, 8, 9, 3, 4, 1]), ([9, 1], [4, 1]), ([3, 4, 7, 6, 1], [1])]
    packed = {"inputs": [], "inputs_segments": [], "targets": [], "targets_segments": []}
    for number, pair in enumerate(pairs, 1):
        for field, ids in zip(("inputs", "targets"), pair, strict=True):
            packed[field] += ids
            packed[f"{field}_segments"] += [number] * len(ids)
    logits = numbers(model({name: np.array([ids + [0, 0]]) for name, ids in packed.items()}))[0]
    for number, (source, target) in enumerate(pairs, 1):
        alone = numbers(model({"inputs": np.array([source]), "targets": np.array([target])}))[0]
        here = np.array(packed["targets_segments"]) == number
        np.testing.assert_allclose(logits[: len(here)][here], alone, atol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="the golden numbers are checked with it on JAX")
def test_padding_counts_where_that_is_asked_for():
    model = SliceNet(FEATURES, **SIZES, include_padding=True)
    wide = {name: np.pad(x, [(0, 0), (0, 4)]) if name.startswith("inputs") else x for name, x in batch_of().items()}
    real = batch_of()["targets_segments"] > 0
    assert np.abs(numbers(model(batch_of())) - numbers(model(wide)))[real].max() > 1e-3
    assert not model.takes_packed_rows and SliceNet(FEATURES, **SIZES).takes_packed_rows


def test_refusals():
    with pytest.raises(ValueError, match="num_heads: 5 heads do not divide key_dim 8"):
        SliceNet(FEATURES, **{**SIZES, "num_heads": 5})
    with pytest.raises(ValueError, match="parts: 3 parts do not divide filters, 16"):
        SliceNet(FEATURES, hidden_dim=16)
    with pytest.raises(ValueError, match="SliceNet writes Text, and the targets are Label"):
        SliceNet({"inputs": Text(12), "targets": Label(3)}, **SIZES)
