"""The Neural GPU as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import check_learns, check_model, text_batch

from kt2t.features import Text
from kt2t.models import NeuralGPU

on_tensorflow = pytest.mark.skipif(ON_JAX, reason="the same code as on TensorFlow, which is quicker")
FEATURES = {"inputs": Text(12), "targets": Text(12)}


def model_of(**options):
    return NeuralGPU(FEATURES, hidden_dim=16, dropout=0.0, **options)


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(model_of, text_batch(), (8, 5, 12), tmp_path)
    assert model.count_params() == 2 * 12 * 16 + 3 * (3 * 16 * 16 + 16)


@on_tensorflow
def test_the_sizes_of_tensor2tensor():
    """599,808 weights with 12 symbols, 3,072 of them an embedding of the targets that nothing reads."""
    model = NeuralGPU(FEATURES)
    model.build()
    assert model.count_params() == 599_808 - 12 * 256


@on_tensorflow
def test_it_learns():
    batch = text_batch()
    batch["inputs"][:, 0] = np.arange(2, 10)  # no two of the texts are alike
    batch["inputs_segments"][:] = 1
    weight = (batch["targets_segments"] > 0).astype("float32")
    check_learns(model_of(), batch, batch["targets"], weight, steps=120)


@on_tensorflow
def test_packed_is_padded():
    model = model_of()
    pairs = [([5, 6, 4, 1], [7, 8, 1]), ([9, 1], [4, 1])]
    packed = {"inputs": [], "inputs_segments": [], "targets": [], "targets_segments": []}
    for number, pair in enumerate(pairs, 1):
        for field, ids in zip(("inputs", "targets"), pair, strict=True):
            packed[field] += ids
            packed[f"{field}_segments"] += [number] * len(ids)
    logits = numbers(model({name: np.array([ids + [0, 0]]) for name, ids in packed.items()}))[0]
    for number, (source, target) in enumerate(pairs, 1):
        alone = numbers(model({"inputs": np.array([source]), "targets": np.array([target])}))[0]
        here = np.array([*packed["targets_segments"], 0, 0]) == number
        np.testing.assert_allclose(logits[here], alone, atol=1e-5)


def test_padding_as_tape_takes_no_packed_rows():
    assert model_of().takes_packed_rows and not model_of(include_padding=True).takes_packed_rows
