"""Numbers for a whole example."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import NumbersHead

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], "int32")


def test_numbers_are_a_projection_of_the_mean_over_real_positions():
    layer = check_layer(
        lambda **k: NumbersHead(3, **k),
        HIDDEN,
        SEGMENTS,
        shape=(2, 3),
        weights={"dense.kernel": (6, 3), "dense.bias": (3,)},
    )
    layer.dense.bias.assign([1.0, 2.0, 3.0])
    pooled = np.stack([HIDDEN[0, :3].mean(0), HIDDEN[1, 0]])
    found = numbers(forward(layer)(HIDDEN, SEGMENTS))
    np.testing.assert_allclose(found, pooled @ numbers(layer.dense.kernel) + [1, 2, 3], atol=1e-5)
    np.testing.assert_array_equal(numbers(layer.answer(found)), found)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="size: 0"):
        NumbersHead(0)
