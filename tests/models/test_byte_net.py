"""ByteNet as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import beams_by_recomputation, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Text
from kt2t.models import ByteNet
from kt2t.ops.paths import attribute_paths

FEATURES = {"inputs": Text(12), "targets": Text(12)}
SIZES = {"hidden_dim": 16, "num_blocks": 1, "dilations": [1, 2], "dropout": 0.0}


def random_model(**options):
    model = ByteNet(FEATURES, **{**SIZES, **options})
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.6)
    return model


@pytest.mark.skipif(ON_JAX, reason="tests/golden has its logits and gradients on JAX")
def test_it_is_a_model_like_any(tmp_path):
    check_model(lambda: ByteNet(FEATURES, **SIZES), text_batch(), (8, 5, 12), tmp_path)


@pytest.mark.skipif(ON_JAX, reason="half a gigabyte of weights, of the same shapes")
def test_the_sizes_of_tensor2tensor():
    """135,722,496 weights with 32,768 words, as in bytenet_base."""
    model = ByteNet({"inputs": Text(32_768), "targets": Text(32_768)})
    model.build()
    assert model.count_params() == 135_722_496


def test_cached_tokens_are_those_of_full_recomputation():
    """Seven positions of targets reach beyond the states of the shorter sources."""
    model, batch = random_model(length_ratio=1.2), text_batch(rows=3, source=5)
    if ON_JAX:
        found = model.generate(batch, Greedy(), length=7)
        ids, scores = greedy_by_recomputation(model, batch, 7)
        assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
        np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
        return
    found = model.generate(batch, Beam(3, 0.8), length=7)
    for row, (best, score) in enumerate(beams_by_recomputation(model, batch, 3, 0.8, 7)):
        assert found["ids"][row, 0, : len(best)].tolist() == best
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="the same code as in the tests before")
def test_sources_of_any_width_are_decoded_by_one_graph():
    """From the second width on the graph does not know how many positions there are."""
    model, batch = random_model(), text_batch(rows=2)
    wanted = model.generate(batch, Greedy(), length=5)
    for room in (10, 20):
        wide = {name: np.pad(value, [(0, 0), (0, room)]) for name, value in batch.items()}
        found = model.generate(wide, Greedy(), length=5)
        assert found["ids"].tolist() == wanted["ids"].tolist()


@pytest.mark.skipif(ON_JAX, reason="the same code as in the tests before")
def test_packed_is_padded():
    model = random_model()
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
def test_padding_has_states_where_that_is_asked_for():
    model, batch = random_model(include_padding=True), text_batch()
    shape = lambda batch: tuple(model.encode(batch).states.shape)  # noqa: E731
    assert shape(batch) == (8, 50, 16)
    wide = {name: np.pad(value, [(0, 0), (0, 30)]) for name, value in batch.items()}
    assert shape(wide) == (8, 100, 16)  # 36 inputs are 54 states
    del wide["targets"]
    assert shape({**wide, "targets": np.zeros((8, 101), "int32")}) == (8, 150, 16)
    assert not model.takes_packed_rows and random_model().takes_packed_rows


def test_refusals():
    with pytest.raises(ValueError, match="length_ratio: 0.9 is below 1"):
        ByteNet(FEATURES, **SIZES, length_ratio=0.9)
    with pytest.raises(ValueError, match="ByteNet writes Text, and the targets are Label"):
        ByteNet({"inputs": Text(12), "targets": Label(3)}, **SIZES)
    with pytest.raises(ValueError, match="ByteNet reads 'inputs'"):
        ByteNet({"targets": Text(12)}, **SIZES)
