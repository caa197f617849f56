"""Labels, tags and several targets over any encoder."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from model_harness import check_model, text_batch

from kt2t.features import Label, Tags, Text
from kt2t.layers import LSTMStack
from kt2t.models import Reader
from kt2t.registry import build

BOTH = {"inputs": Text(12), "targets": {"tags": Tags(4), "label": Label(3)}}


def batch():
    return {name: value for name, value in text_batch().items() if name.startswith("inputs")}


@pytest.mark.parametrize(("targets", "shape"), [(Label(3), (8, 3)), (Tags(4), (8, 6, 5))])
def test_it_is_a_model_like_any(targets, shape, tmp_path):
    check_model(lambda: Reader({"inputs": Text(12), "targets": targets}, LSTMStack(1, 8), 8), batch(), shape, tmp_path)


def test_each_target_has_a_head_and_an_answer():
    model = Reader(BOTH, {"type": "LSTMStack", "num_layers": 1, "units": 8}, hidden_dim=8)
    logits = model(batch())
    assert {key: tuple(one.shape) for key, one in logits.items()} == {"tags": (8, 6, 5), "label": (8, 3)}
    values = model.answer(batch())["values"]
    assert values["label"].tolist() == numbers(logits["label"]).argmax(-1)[:, None].tolist()
    real = batch()["inputs_segments"] > 0
    wanted = np.where(real, numbers(logits["tags"])[..., 1:].argmax(-1) + 1, 0)
    assert values["tags"][:, 0].tolist() == wanted.tolist()


def test_it_is_built_from_a_node():
    node = {"type": "Reader", "encoder": {"type": "LSTMStack", "num_layers": 1, "units": 8}, "hidden_dim": 8}
    model = build(node, "model", features={"inputs": Text(12), "targets": Label(3)})
    assert tuple(model(batch()).shape) == (8, 3)


def test_a_layer_that_is_no_sequence_reads_a_map():
    from kt2t.features import Image

    model = Reader({"inputs": Image(6, 4, 1), "targets": Label(3)}, keras.layers.Conv2D(5, 3, 2), hidden_dim=8)
    assert tuple(model({"inputs": np.zeros((2, 6, 4, 1), "uint8")}).shape) == (2, 3)


def test_refusals():
    encoder = LSTMStack(1, 8)
    with pytest.raises(ValueError, match="Reader does not write Text"):
        Reader({"inputs": Text(12), "targets": Text(12)}, encoder, 8)
    with pytest.raises(ValueError, match="Reader reads 'inputs'"):
        Reader({"targets": Label(3)}, encoder, 8)
    with pytest.raises(ValueError, match="a tag for each position, and the inputs are Label"):
        Reader({"inputs": Label(3), "targets": {"tags": Tags(2)}}, encoder, 8)
