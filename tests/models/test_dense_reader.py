"""Labels of pictures by dense layers."""

from __future__ import annotations

import numpy as np
from harness import forward, numbers
from model_harness import check_model

from kt2t.features import Image, Label
from kt2t.models import DenseReader

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 3, 5, 1)).astype("uint8")
FEATURES = {"inputs": Image(3, 5, 1), "targets": Label(3)}


def test_it_is_a_model_like_any(tmp_path):
    check_model(lambda: DenseReader(FEATURES, widths=[12, 8], dropout=0.0), {"inputs": PIXELS}, (8, 3), tmp_path)


def test_each_pixel_counts_by_itself():
    """Shuffled pixels with equally shuffled weights give the same logits; a convolution's would not."""
    model = DenseReader(FEATURES, widths=[12], dropout=0.0)
    before = numbers(forward(model)({"inputs": PIXELS}))
    order = np.random.default_rng(1).permutation(15)
    first = model.encoder.layers[0]
    first.kernel.assign(numbers(first.kernel)[order])
    shuffled = PIXELS.reshape(8, 15)[:, order].reshape(PIXELS.shape)
    np.testing.assert_allclose(numbers(forward(model)({"inputs": shuffled})), before, atol=1e-5)
