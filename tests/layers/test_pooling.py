"""The mean over the real positions of a row."""

from __future__ import annotations

import numpy as np
from harness import compiled, numbers

from kt2t.layers import pooled

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 2, 0], [1, 0, 0, 0]], "int32")


def test_padding_does_not_count():
    expected = np.stack([HIDDEN[0, :3].mean(0), HIDDEN[1, 0]])
    np.testing.assert_allclose(numbers(pooled(HIDDEN, SEGMENTS)), expected, atol=1e-6)
    np.testing.assert_allclose(numbers(compiled(pooled)(HIDDEN, SEGMENTS)), expected, atol=1e-6)
    np.testing.assert_allclose(numbers(pooled(HIDDEN)), HIDDEN.mean(1), atol=1e-6)


def test_a_map_has_two_axes_of_positions():
    maps = HIDDEN.reshape(2, 2, 2, 6)
    expected = numbers(pooled(HIDDEN, SEGMENTS))
    np.testing.assert_allclose(numbers(pooled(maps, SEGMENTS.reshape(2, 2, 2))), expected, atol=1e-6)
    np.testing.assert_allclose(numbers(pooled(maps)), HIDDEN.mean(1), atol=1e-6)


def test_a_row_of_padding_is_zero_and_one_vector_stays_itself():
    assert (numbers(pooled(HIDDEN, 0 * SEGMENTS)) == 0).all()
    np.testing.assert_array_equal(numbers(pooled(HIDDEN[:, 0], SEGMENTS[:, 0])), HIDDEN[:, 0])
