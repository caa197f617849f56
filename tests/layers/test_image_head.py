"""Logits over the values of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import ImageHead
from kt2t.losses import CrossEntropy

HIDDEN = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")


def test_a_position_is_a_pixel_row_by_row():
    layer = check_layer(
        lambda **k: ImageHead(3, 2, 2, **k),
        HIDDEN,
        shape=(2, 3, 2, 2, 256),
        weights={"dense.kernel": (4, 512), "dense.bias": (512,)},
    )
    kernel = numbers(layer.dense.kernel).reshape(4, 2, 256)
    logits = numbers(forward(layer)(HIDDEN))
    for row, column, channel in np.ndindex(3, 2, 2):
        expected = HIDDEN[:, 2 * row + column] @ kernel[:, channel]
        np.testing.assert_allclose(logits[:, row, column, channel], expected, atol=1e-5)
    answer = numbers(layer.answer(logits))
    assert answer.dtype == np.uint8 and answer.shape == (2, 3, 2, 2)
    np.testing.assert_array_equal(answer, logits.argmax(-1))
    assert numbers(CrossEntropy().call(answer, logits)).shape == answer.shape


def test_other_numbers_of_positions_are_refused():
    with pytest.raises(ValueError, match="3 × 3 pixels is predicted from 9 positions.*there are 6"):
        ImageHead(3, 3)(HIDDEN)
    with pytest.raises(ValueError, match="width: 0"):
        ImageHead(3, 0)
