"""The reading side: what its memory may depend on."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers
from model_harness import text_batch

from kt2t.features import Label, Text
from kt2t.models import Transformer, TransformerEncoder
from kt2t.registry import build

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2, "dropout": 0.0}


def encoded(model, batch):
    return numbers(model.encode(batch).states)


def test_padding_has_no_influence():
    model = TransformerEncoder({"inputs": Text(12), "targets": Label(2)}, **SIZES)
    batch = text_batch()
    states = encoded(model, batch)
    for row in range(1, 4):
        count = batch["inputs_segments"][row].sum()
        alone = encoded(model, {"inputs": batch["inputs"][row : row + 1, :count]})
        np.testing.assert_allclose(states[row, :count], alone[0], atol=1e-5)


def test_packed_is_padded():
    model = TransformerEncoder({"inputs": Text(12), "targets": Label(2)}, **SIZES)
    first, second = np.array([[5, 6, 7]]), np.array([[8, 9]])
    packed = encoded(
        model, {"inputs": np.array([[5, 6, 7, 8, 9, 0]]), "inputs_segments": np.array([[1, 1, 1, 2, 2, 0]])}
    )
    np.testing.assert_allclose(packed[:, :3], encoded(model, {"inputs": first}), atol=1e-5)
    np.testing.assert_allclose(packed[:, 3:5], encoded(model, {"inputs": second}), atol=1e-5)


def test_the_target_space_is_added():
    model = Transformer({"inputs": Text(12), "targets": Text(12), "target_space": Label(3)}, **SIZES)
    batch = {"inputs": np.array([[5, 6], [5, 6]]), "target_space": np.array([0, 2])}
    first, second = encoded(model, batch)
    assert np.abs(first - second).max() > 1e-3
    table = model.target_space_embedding.table
    table.assign(np.repeat(numbers(table)[:1], 3, axis=0))
    first, second = encoded(model, batch)
    np.testing.assert_array_equal(first, second)


def test_without_inputs():
    with pytest.raises(ValueError, match="Transformer reads 'inputs', and there are none. TransformerLM does without."):
        Transformer({"targets": Text(12)}, **SIZES)


def test_any_two_sequences_make_a_model():
    """Built from nodes; every label that conditions the inputs has its say."""
    node = {
        "type": "EncoderDecoder",
        "encoder": {"type": "LSTMStack", "num_layers": 1, "units": 16, "returns_state": True},
        "decoder": {"type": "LSTMStack", "num_layers": 1, "units": 16, "memory": "start"},
        "hidden_dim": 16,
    }
    features = {"inputs": Text(12), "targets": Text(12), "language": Label(2), "speaker": Label(3)}
    model = build(node, "model", features=features)
    batch = text_batch() | {"language": np.zeros(8, "int32"), "speaker": np.arange(8, dtype="int32") % 3}
    logits = numbers(forward(model)(batch))
    assert logits.shape == (8, 5, 12)
    assert np.abs(numbers(forward(model)(batch | {"language": np.ones(8, "int32")})) - logits).max() > 1e-4
    assert np.abs(numbers(forward(model)(batch | {"speaker": np.zeros(8, "int32")})) - logits)[[0, 3]].max() < 1e-6
