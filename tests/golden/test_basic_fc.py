"""The feed-forward network over pixels against Tensor2Tensor's own numbers, given its weights."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_models import check

from kt2t.features import Image, Label
from kt2t.models import FeedForwardReader

pytestmark = pytest.mark.cases("basic_fc")


def _path_of(name):
    level, leaf = re.search(r"/layer_(\d+)/(\w+)$", name).groups()
    return f"encoder.layers.{level}.{leaf}"


def test_logits_loss_and_gradients(case):
    widths = [case[name].shape[0] for name in case.files if re.match(r"var/.*/layer_\d+/bias$", name)]
    features = {"inputs": Image(*case["in/inputs"].shape[1:]), "targets": Label(case["out/logits"].shape[-1])}
    model = FeedForwardReader(features, len(widths), widths[0])
    labels = case["in/targets"].reshape(-1)
    batch = {"inputs": (case["in/inputs"] + 1) * 127.5}  # the case holds scaled pictures; we scale bytes
    check(case, model, batch, labels, np.ones(len(labels), "float32"), _path_of)
