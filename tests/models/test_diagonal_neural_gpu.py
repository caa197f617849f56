"""The diagonal Neural GPU as a whole, against the paper's formula."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import check_learns, check_model, text_batch

from kt2t.features import Text
from kt2t.models import DiagonalNeuralGPU

on_tensorflow = pytest.mark.skipif(ON_JAX, reason="the same code as on TensorFlow, which is quicker")
FEATURES = {"inputs": Text(12), "targets": Text(12)}


def model_of(**options):
    return DiagonalNeuralGPU(FEATURES, hidden_dim=15, dropout=0.0, **options)


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(model_of, text_batch(), (8, 5, 12), tmp_path)
    assert model.count_params() == 2 * 12 * 15 + 3 * (3 * 15 * 15 + 15)


@on_tensorflow
def test_it_is_the_papers_formula():
    """One example of 5 ids, in NumPy: hard activations, thirds that move, as many steps as ids."""
    model, ids = model_of(saturation_weight=0.3), np.array([[5, 9, 3, 7, 1]], "int32")
    found = numbers(model({"inputs": ids}))[0]
    unit = model.encoder.units[0]

    def convolved(x, part):
        kernel, around = numbers(part.kernel), np.pad(x, [(1, 1), (0, 0)])
        return sum(around[tap : tap + 5] @ kernel[tap] for tap in range(3)) + numbers(part.bias)

    def beyond(x):
        return np.maximum(np.abs(x) - 0.9, 0).sum(axis=1).mean()

    x = numbers(model.inputs_embedding.table)[ids[0]] * 15**0.5
    state, costs, first = np.clip(x, -1, 1), [], beyond(x)
    for _ in range(5):
        r, u = convolved(state, unit.reset), convolved(state, unit.update)
        c = convolved(np.clip((r + 1) / 2, 0, 1) * state, unit.candidate)
        moved = state.copy()
        moved[:, 5:10] = np.pad(state[:-1, 5:10], [(1, 0), (0, 0)])
        moved[:, 10:] = np.pad(state[1:, 10:], [(0, 1), (0, 0)])
        gate = np.clip((u + 1) / 2, 0, 1)
        state = gate * moved + (1 - gate) * np.clip(c, -1, 1)
        costs.append(beyond(r) + beyond(u) + beyond(c))
    np.testing.assert_allclose(found, state @ numbers(model.head.table).T, atol=1e-5)
    assert float(sum(model.losses)) == pytest.approx(0.3 * (first + np.mean(costs)), rel=1e-5)


@on_tensorflow
def test_it_learns():
    batch = text_batch()
    batch["inputs"][:, 0] = np.arange(2, 10)  # no two of the texts are alike
    batch["inputs_segments"][:] = 1
    weight = (batch["targets_segments"] > 0).astype("float32")
    check_learns(DiagonalNeuralGPU(FEATURES, 48, dropout=0.0), batch, batch["targets"], weight, steps=120)


def test_refusals():
    with pytest.raises(ValueError, match="filters: 2 channels have no thirds"):
        DiagonalNeuralGPU(FEATURES, 2)
