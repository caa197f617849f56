"""Labels of pictures by a small convolutional network."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers
from model_harness import check_model

from kt2t.features import Image, Label, Numbers, Text
from kt2t.models import ConvolutionalReader

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 6, 5, 1)).astype("uint8")
FEATURES = {"inputs": Image(6, 5, 1), "targets": Label(3)}


def small(**options):
    return ConvolutionalReader(FEATURES, hidden_dim=4, filters=[8], intermediate_dim=8, dropout=0.0, **options)


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(small, {"inputs": PIXELS}, (8, 3), tmp_path)
    assert model.answer({"inputs": PIXELS})["values"].shape == (8, 1)


def test_the_last_row_and_column_count():
    model = small()
    other = PIXELS.copy()
    other[:, -1, -1] = 255 - other[:, -1, -1]
    assert (numbers(forward(model)({"inputs": PIXELS})) != numbers(forward(model)({"inputs": other}))).all()


def test_several_targets_and_a_label_that_conditions():
    features = {"inputs": Image(6, 5, 1), "language": Label(2), "targets": {"kind": Label(3), "place": Numbers(2)}}
    model = ConvolutionalReader(features, hidden_dim=4, filters=[4], intermediate_dim=4)
    logits = model({"inputs": PIXELS, "language": np.zeros(8, "int32")})
    assert {key: tuple(one.shape) for key, one in logits.items()} == {"kind": (8, 3), "place": (8, 2)}


def test_text_has_no_map():
    with pytest.raises(ValueError, match="has no feature map"):
        ConvolutionalReader({"inputs": Text(9), "targets": Label(3)})
