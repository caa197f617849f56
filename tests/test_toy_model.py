"""The toy model does what tests that use it rely on: it is a model like any, and decodes with a cache as without."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from model_harness import beams_by_recomputation, check_model, greedy_by_recomputation, text_batch
from toy_model import Toy

from kt2t.decoding import Beam, Greedy
from kt2t.features import Text
from kt2t.ops import randomness

FEATURES = {"inputs": Text(12), "targets": Text(12)}


def test_it_is_a_model_like_any(tmp_path):
    check_model(lambda: Toy(FEATURES, num_layers=2, dropout=0.0), text_batch(), (8, 5, 12), tmp_path)


def test_training_drops_and_is_a_function_of_the_step():
    model, batch = Toy(FEATURES, dropout=0.5), text_batch()
    model.build()
    outputs = []
    for step in (3, 3, 4):
        with randomness.root(1, step):
            outputs.append(numbers(model(batch, training=True)))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-3


def test_cached_tokens_are_those_of_full_recomputation():
    keras.utils.set_random_seed(3)
    model, batch = Toy(FEATURES, hidden_dim=8), text_batch(rows=3)
    model.build()
    for weight in model.weights:
        weight.assign(np.random.default_rng(4).normal(size=tuple(weight.shape)))
    ids, scores = greedy_by_recomputation(model, batch, 7)
    found = model.generate(batch, Greedy(), length=7)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    found = model.generate(batch, Beam(3, 0.6), length=5)
    for row, (best, score) in enumerate(beams_by_recomputation(model, batch, 3, 0.6, 5)):
        assert found["ids"][row, 0, : len(best)].tolist() == best
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


def test_a_width_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="hidden_dim: 0 is not positive"):
        Toy(FEATURES, hidden_dim=0)
