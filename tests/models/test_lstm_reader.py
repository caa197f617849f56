"""LSTMs that read, under a head."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, forward, numbers
from model_harness import check_learns, check_model, text_batch

from kt2t.features import Label, Tags, Text
from kt2t.layers import Attention, GRUStack
from kt2t.models import LSTMReader

FEATURES = {"inputs": Text(12), "targets": Label(3)}
SIZES = {"num_layers": 2, "hidden_dim": 16, "dropout": 0.0}


def batch_of():
    return {name: value for name, value in text_batch().items() if name.startswith("inputs")}


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(lambda: LSTMReader(FEATURES, **SIZES), batch_of(), (8, 3), tmp_path)
    assert model.count_params() == 12 * 16 + 2 * (32 * 64 + 64) + 16 * 3 + 3


def test_in_both_directions_it_learns_tags_and_packed_is_padded():
    batch = batch_of()
    tags = (batch["inputs"] % 3 + 1) * batch["inputs_segments"]
    model = LSTMReader({"inputs": Text(12), "targets": Tags(3)}, **SIZES, bidirectional=True, stack=GRUStack(1, 8))
    check_learns(model, batch, tags, batch["inputs_segments"].astype("float32"))
    segments = np.array([[1, 1, 1, 2, 2, 0]], "int32")
    packed = numbers(forward(model)({"inputs": np.array([[5, 6, 1, 9, 1, 0]]), "inputs_segments": segments}))
    for number, ids in ((1, [5, 6, 1]), (2, [9, 1])):
        alone = numbers(forward(model)({"inputs": np.array([ids])}))[0]
        np.testing.assert_allclose(packed[segments == number], alone, atol=1e-5)


@pytest.mark.parametrize("include_padding", [False, True])
def test_a_label_is_read_from_a_mean(include_padding):
    if ON_JAX and not include_padding:
        pytest.skip("the head is checked there")
    model, batch = LSTMReader(FEATURES, **SIZES, include_padding=include_padding), batch_of()
    logits = numbers(forward(model)(batch))
    assert model.takes_packed_rows != include_padding
    states, real = numbers(model.encode(batch).states), batch["inputs_segments"] > 0
    count = real.shape[1] if include_padding else real.sum(1, keepdims=True)
    mean = (states * real[..., None]).sum(1) / count
    dense = model.head.dense
    np.testing.assert_allclose(logits, mean @ numbers(dense.kernel) + numbers(dense.bias), atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="LSTMReader does not write"):
        LSTMReader({"inputs": Text(12), "targets": Text(12)})
    with pytest.raises(ValueError, match="stack: Attention is no stack of recurrent layers"):
        LSTMReader(FEATURES, stack=Attention(2))
