"""The convolutional network that labels texts against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_models import check

from kt2t.features import Label, Text
from kt2t.models import TextCNN

pytestmark = pytest.mark.cases("text_cnn")
NAME = re.compile(r"/conv-maxpool-(\d+)/([Wb])$")
LEAVES = {"W": "kernel", "b": "bias"}


def test_logits_loss_and_gradients(case):
    sizes = sorted({int(found[1]) for found in map(NAME.search, case.files) if found})
    shapes = {name: case[name].shape for name in case.files}
    (kernel,) = [shape for name, shape in shapes.items() if name.startswith("var/") and f"-{sizes[0]}/W" in name]
    rows = sum(shape[0] for name, shape in shapes.items() if name.startswith("var/") and "input_emb" in name)
    features = {"inputs": Text(rows), "targets": Label(case["out/logits"].shape[-1])}
    model = TextCNN(features, kernel[-1], sizes, kernel[1], include_padding=True)

    def path_of(name):
        size, leaf = NAME.search(name).groups()
        return f"encoder.convolutions.{sizes.index(int(size))}.{LEAVES[leaf]}"

    labels = case["in/targets"].reshape(-1)
    batch = {"inputs": case["in/inputs"][:, :, 0, 0]}
    check(case, model, batch, labels, np.ones(len(labels), "float32"), path_of)
