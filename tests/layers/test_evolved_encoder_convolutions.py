"""The convolutions of an encoder cell: what they read of a row. `golden/` has the formula's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import EvolvedEncoderConvolutions
from kt2t.ops.masks import SegmentMask

X = np.random.default_rng(0).normal(size=(2, 7, 4)).astype("float32")


def test_it_is_a_layer_like_any():
    make = lambda **o: EvolvedEncoderConvolutions(4, **o)  # noqa: E731
    layer = check_layer(make, X, shape=X.shape)
    assert layer.count_params() == (4 * 16 + 16) + (3 * 4 * 2 + 2) + 2 * 16 + (9 * 16 + 16 * 2 + 2)


def test_it_reads_four_and_one_more_on_either_side_and_no_other_example():
    layer = EvolvedEncoderConvolutions(4)
    layer(X)
    whole = numbers(forward(layer)(X))
    changed = X.copy()
    changed[0, 0] += 1
    moved = np.abs(numbers(forward(layer)(changed)) - whole).max(-1) > 1e-6
    assert moved[0].tolist() == [True] * 6 + [False] and not moved[1].any()  # 9 positions of what 3 positions gave
    assert not whole[..., 2:].any()  # the other half of the channels
    packed = numbers(forward(layer)(X, mask=SegmentMask(np.array([[1, 1, 1, 2, 2, 0, 0], [1] * 7], "int32"))))
    for start, end in ((0, 3), (3, 5)):
        alone = numbers(forward(layer)(X[:1, start:end]))
        np.testing.assert_allclose(packed[:1, start:end], alone, atol=1e-5)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="hidden_dim: 5 is odd"):
        EvolvedEncoderConvolutions(5)
