"""The writing side: what a position may depend on."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers
from model_harness import text_batch

from kt2t.features import Label, Text
from kt2t.models import Transformer, TransformerLM

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2, "dropout": 0.0}
FEATURES = {"inputs": Text(12), "targets": Text(12)}


def test_a_position_depends_on_earlier_ids_alone():
    model = TransformerLM({"targets": Text(12)}, **SIZES)
    ids = np.array([[3, 4, 5, 6, 7]])
    logits = numbers(forward(model)({"targets": ids}))
    for place in (0, 2, 4):
        changed = ids.copy()
        changed[0, place] = 11
        different = np.abs(numbers(forward(model)({"targets": changed})) - logits).max(axis=-1)[0] > 1e-5
        assert different.tolist() == [position > place for position in range(5)]


def test_padding_has_no_influence():
    model = Transformer(FEATURES, **SIZES)
    batch = text_batch()
    logits = numbers(forward(model)(batch))
    for row in range(1, 4):
        source, time = batch["inputs_segments"][row].sum(), batch["targets_segments"][row].sum()
        alone = {"inputs": batch["inputs"][row : row + 1, :source], "targets": batch["targets"][row : row + 1, :time]}
        np.testing.assert_allclose(logits[row, :time], numbers(forward(model)(alone))[0], atol=1e-5)


def test_packed_is_padded():
    model = Transformer(FEATURES, **SIZES)
    pairs = [([5, 6, 1], [7, 8, 9, 1]), ([9, 1], [4, 1]), ([3, 4, 1], [1])]
    packed = {"inputs": [], "inputs_segments": [], "targets": [], "targets_segments": []}
    for number, pair in enumerate(pairs, 1):
        for field, ids in zip(("inputs", "targets"), pair, strict=True):
            packed[field] += ids
            packed[f"{field}_segments"] += [number] * len(ids)
    logits = numbers(forward(model)({name: np.array([ids + [0, 0]]) for name, ids in packed.items()}))[0]
    assert np.isfinite(logits).all()
    for number, (source, target) in enumerate(pairs, 1):
        alone = numbers(forward(model)({"inputs": np.array([source]), "targets": np.array([target])}))[0]
        here = np.array(packed["targets_segments"]) == number
        np.testing.assert_allclose(logits[: len(here)][here], alone, atol=1e-5)


def test_a_step_is_a_position_of_training():
    model = Transformer(FEATURES, **SIZES)
    batch = text_batch()
    logits = numbers(forward(model)(batch))
    cache = model.start(model.encode(batch), batch, length=5, beams=1)
    read = np.pad(batch["targets"][:, :-1], [(0, 0), (1, 0)])
    for position in range(5):
        found, cache = model.step(read[:, position : position + 1], position, cache.at(position, cache.flat()))
        real = batch["targets_segments"][:, position] > 0
        np.testing.assert_allclose(numbers(found)[real, 0], logits[real, position], atol=1e-5)


def test_targets_that_are_not_text():
    with pytest.raises(ValueError, match=r"Transformer writes Text, and the targets are Label.*Use TransformerEncoder"):
        Transformer({"inputs": Text(12), "targets": Label(3)}, **SIZES)
    with pytest.raises(ValueError, match="TransformerLM writes Text"):
        TransformerLM({"targets": Label(3)}, **SIZES)
