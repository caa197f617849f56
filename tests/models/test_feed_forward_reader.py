"""Labels of pictures by a feed-forward network over raw pixels."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers
from model_harness import check_model

from kt2t.features import Image, Label, Text
from kt2t.models import FeedForwardReader

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 3, 5, 2)).astype("uint8")
FEATURES = {"inputs": Image(3, 5, 2), "targets": Label(3)}


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(lambda: FeedForwardReader(FEATURES, 2, 12), {"inputs": PIXELS}, (8, 3), tmp_path)
    x = (PIXELS / 127.5 - 1).reshape(8, -1)
    for layer in model.encoder.layers:
        x = np.maximum(x @ numbers(layer.kernel) + numbers(layer.bias), 0)
    wanted = x @ numbers(model.head.dense.kernel) + numbers(model.head.dense.bias)
    np.testing.assert_allclose(numbers(model({"inputs": PIXELS})), wanted, atol=1e-5)


@pytest.mark.parametrize(("channels", "count"), [(3, 670_730), (1, 269_322)])
def test_the_sizes_of_tensor2tensor(channels, count):
    """Those of basic_fc_small with 10 classes."""
    model = FeedForwardReader({"inputs": Image(28, 28, channels), "targets": Label(10)})
    model.build()
    assert model.count_params() == count


def test_refusals():
    with pytest.raises(ValueError, match="FeedForwardReader reads pictures of one size, and the inputs are Text"):
        FeedForwardReader({"inputs": Text(12), "targets": Label(3)})
    with pytest.raises(ValueError, match="FeedForwardReader does not read 'language'"):
        FeedForwardReader({**FEATURES, "language": Label(2)})
    with pytest.raises(ValueError, match="num_layers: 0 is not positive"):
        FeedForwardReader(FEATURES, 0)
