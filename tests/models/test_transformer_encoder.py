"""The encoder under a head."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers
from model_harness import check_learns, check_model, text_batch

from kt2t.features import Label, Tags, Text
from kt2t.models import TransformerEncoder
from kt2t.ops.paths import attribute_paths
from kt2t.registry import build, describe

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}


def batch():
    return {name: value for name, value in text_batch().items() if name.startswith("inputs")}


def label_model():
    return TransformerEncoder({"inputs": Text(12), "targets": Label(3)}, **SIZES, dropout=0.0)


def tags_model():
    return TransformerEncoder({"inputs": Text(12), "targets": Tags(4)}, **SIZES, dropout=0.0)


def test_with_a_label_it_is_a_model_like_any(tmp_path):
    check_model(label_model, batch(), (8, 3), tmp_path)


def test_with_tags_it_is_a_model_like_any(tmp_path):
    check_model(tags_model, batch(), (8, 6, 5), tmp_path)


def test_it_learns_labels():
    given = batch()
    given["inputs"][:, 0] = np.arange(2, 10)
    check_learns(label_model(), given, np.arange(8) % 3, np.ones(8, "float32"))


def test_it_learns_tags():
    given = batch()
    tags = (given["inputs"] % 4 + 1) * given["inputs_segments"]
    check_learns(tags_model(), given, tags, given["inputs_segments"].astype("float32"))


@pytest.mark.parametrize("make", [label_model, tags_model])
def test_every_layer_has_the_model_s_precision(make):
    node = {**describe(make()), "dtype": "mixed_bfloat16"}
    assert {layer.compute_dtype for layer in build(node)._flatten_layers()} == {"bfloat16"}


def test_text_is_for_another_model():
    with pytest.raises(ValueError, match=r"TransformerEncoder does not write Text.*Use Transformer"):
        TransformerEncoder({"inputs": Text(12), "targets": Text(12)}, **SIZES)


def test_padding_takes_part_in_the_mean_where_that_is_asked_for(tmp_path):
    make = lambda: TransformerEncoder(  # noqa: E731
        {"inputs": Text(12), "targets": Label(3)}, **SIZES, dropout=0.0, include_padding=True
    )
    model = check_model(make, batch(), (8, 3), tmp_path)
    assert not model.takes_packed_rows and label_model().takes_packed_rows
    wide = {name: np.pad(value, [(0, 0), (0, 4)]) for name, value in batch().items()}
    full = batch()["inputs_segments"].all(axis=1)
    assert full.any() and not full.all()
    near, far = numbers(forward(model)(batch())), numbers(forward(model)(wide))
    assert np.abs(near - far).max() > 1e-2
    plain = label_model()
    plain.build()
    np.testing.assert_allclose(numbers(forward(plain)(wide)), numbers(forward(plain)(batch())), atol=1e-5)
    for name, weight in attribute_paths(plain).items():
        weight.assign(attribute_paths(model)[name])
    np.testing.assert_allclose(numbers(forward(plain)(batch()))[full], near[full], atol=1e-5)  # the same without padding
