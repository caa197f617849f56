"""Pictures to sequences of patches."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import ImageEmbedding

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")


def by_loop(pixels, patch, kernel):
    """Each patch cut out, filled with grey 127.5 at the edges, scaled, and projected."""
    batch, height, width, channels = pixels.shape
    rows = []
    for top in range(0, height, patch):
        for left in range(0, width, patch):
            cut = np.full((batch, patch, patch, channels), 127.5)
            part = pixels[:, top : top + patch, left : left + patch]
            cut[:, : part.shape[1], : part.shape[2]] = part
            rows.append((cut / 127.5 - 1).reshape(batch, -1) @ kernel)
    return np.stack(rows, 1)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_each_patch_is_projected_row_by_row(patch):
    layer = ImageEmbedding(6, patch=patch)
    found = numbers(forward(layer)(PIXELS))
    np.testing.assert_allclose(found, by_loop(PIXELS, patch, numbers(layer.dense.kernel)), atol=1e-5)
    assert numbers(layer.segments(PIXELS)).tolist() == [[1] * found.shape[1]] * 2


def test_it_is_a_layer_like_any():
    check_layer(
        lambda **k: ImageEmbedding(6, patch=2, **k),
        PIXELS,
        shape=(2, 6, 6),
        weights={"dense.kernel": (12, 6), "dense.bias": (6,)},
    )


def test_black_is_minus_one_and_white_is_one():
    layer = ImageEmbedding(1, patch=1)
    layer.build((None, 1, 2, 1))
    layer.dense.set_weights([np.ones((1, 1)), np.zeros(1)])
    assert numbers(forward(layer)(np.array([[[[0], [255]]]], "uint8"))).tolist() == [[[-1.0], [1.0]]]


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="patch: 0"):
        ImageEmbedding(6, patch=0)
    with pytest.raises(ValueError, match="hidden_dim: 0"):
        ImageEmbedding(0)
