"""Labels of texts by convolutions and their maxima over time."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import check_learns, check_model, text_batch

from kt2t.features import Audio, Label, Numbers, Tags, Text
from kt2t.models import TextCNN

FEATURES = {"inputs": Text(12), "targets": Label(3)}
SIZES = {"filters": 6, "kernel_sizes": [2, 3], "hidden_dim": 8, "dropout": 0.0}


def batch():
    return {name: value for name, value in text_batch().items() if name.startswith("inputs")}


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(lambda: TextCNN(FEATURES, **SIZES), batch(), (8, 3), tmp_path)
    assert model.answer(batch())["values"].shape == (8, 1)


def test_the_sizes_of_tensor2tensor():
    """2,213,378 weights with 32,768 words and 2 classes, as in text_cnn_base."""
    model = TextCNN({"inputs": Text(32_768), "targets": Label(2)})
    model.build()
    assert model.count_params() == 2_213_378


def test_it_learns():
    given = batch()
    given["inputs"][:, 0] = np.arange(2, 10)
    check_learns(TextCNN(FEATURES, **SIZES), given, np.arange(8) % 3, np.ones(8, "float32"))


@pytest.mark.skipif(ON_JAX, reason="the same code as in the tests before; each case is a graph more")
@pytest.mark.parametrize("include_padding", [False, True])
def test_the_width_of_the_batch_counts_only_where_padding_does(include_padding):
    model = TextCNN(FEATURES, **SIZES, include_padding=include_padding)
    model.build()
    for convolution in model.encoder.convolutions:
        convolution.bias.assign(np.ones(6))  # so that a window of padding is a large one
    wide = {name: np.pad(value, [(0, 0), (0, 4)]) for name, value in batch().items()}
    difference = np.abs(numbers(model(batch())) - numbers(model(wide))).max()
    assert difference > 1e-3 if include_padding else difference < 1e-5
    assert model.takes_packed_rows is not include_padding


@pytest.mark.skipif(ON_JAX, reason="the same code as in the tests before; each case is a graph more")
def test_other_inputs_and_targets():
    features = {"inputs": Audio(8000, 40), "targets": {"kind": Label(3), "place": Numbers(2)}, "language": Label(2)}
    model = TextCNN(features, **SIZES)
    samples = np.random.default_rng(0).normal(size=(2, 1600)).astype("float32")
    logits = model({"inputs": samples, "language": np.zeros(2, "int32")})
    assert {key: tuple(one.shape) for key, one in logits.items()} == {"kind": (2, 3), "place": (2, 2)}


def test_tags_are_for_another_model():
    with pytest.raises(ValueError, match=r"TextCNN has one vector for a whole example, and Tags\(num_classes=4\)"):
        TextCNN({"inputs": Text(12), "targets": Tags(4)})
