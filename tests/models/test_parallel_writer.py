"""Text that is written at once over the text that was read."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import text_batch

from kt2t.features import Label, Numbers, Tags, Text
from kt2t.layers import DilatedConvolution
from kt2t.models import ParallelWriter
from kt2t.registry import build

on_tensorflow = pytest.mark.skipif(ON_JAX, reason="the same code as on TensorFlow, which is quicker")
TEXTS = {"inputs": Text(12), "targets": Text(12)}


def model_of(features=TEXTS):
    return ParallelWriter(features, DilatedConvolution(8, 3, padding="same"), 8)


def test_the_nth_target_is_predicted_at_the_nth_position_of_its_inputs():
    model = model_of()
    inputs = np.array([[5, 6, 1, 7, 8, 9, 1, 0]], "int32")
    packed = {"inputs": inputs, "inputs_segments": np.array([[1, 1, 1, 2, 2, 2, 2, 0]], "int32")}
    there = numbers(model(packed))
    assert there.shape == (1, 8, 12)
    packed["targets"] = np.array([[3, 1, 4, 4, 4, 4, 4, 1, 0]], "int32")
    packed["targets_segments"] = np.array([[1, 1, 2, 2, 2, 2, 2, 2, 0]], "int32")
    found = numbers(model(packed))
    np.testing.assert_allclose(found[0, :6], there[0, [0, 1, 3, 4, 5, 6]], atol=1e-6)
    np.testing.assert_array_equal(found[0, 6:], 0)  # beyond the inputs nothing is known


@on_tensorflow
def test_the_ids_of_the_targets_are_not_read():
    model, batch = model_of(), text_batch()
    found = numbers(model(batch))
    assert found.shape == (8, 5, 12)
    np.testing.assert_array_equal(found, numbers(model({**batch, "targets": batch["targets"] * 0})))


def test_its_answer_stands_in_the_place_of_the_inputs():
    model, batch = model_of(), text_batch()
    asked = {name: value for name, value in batch.items() if name.startswith("inputs")}
    values = model.answer(asked)["values"]
    wanted = np.where(batch["inputs_segments"] > 0, numbers(model(asked)).argmax(-1), 0)
    assert values[:, 0].tolist() == wanted.tolist()


@on_tensorflow
def test_labels_and_tags_are_predicted_as_by_any_reader():
    asked = {name: value for name, value in text_batch().items() if name.startswith("inputs")}
    assert tuple(model_of({"inputs": Text(12), "targets": Label(3)})(asked).shape) == (8, 3)
    assert tuple(model_of({"inputs": Text(12), "targets": Tags(4)})(asked).shape) == (8, 6, 5)


def test_it_is_built_from_a_node():
    encoder = {"type": "DilatedConvolution", "filters": 8, "padding": "same"}
    model = build({"type": "ParallelWriter", "encoder": encoder, "hidden_dim": 8}, "model", features=TEXTS)
    assert tuple(model(text_batch()).shape) == (8, 5, 12)


def test_refusals():
    with pytest.raises(ValueError, match="an id for each position, and the inputs are Numbers"):
        model_of({"inputs": Numbers(3), "targets": Text(12)})
    with pytest.raises(ValueError, match="ParallelWriter does not write Text"):
        model_of({"inputs": Text(12), "targets": {"one": Text(12), "other": Label(3)}})
    with pytest.raises(ValueError, match="ParallelWriter reads 'inputs'"):
        model_of({"targets": Text(12)})
