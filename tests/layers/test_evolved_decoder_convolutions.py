"""The convolutions of a decoder cell: what they read of a row. `golden/` has the formula's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import EvolvedDecoderConvolutions
from kt2t.ops.masks import SegmentMask

X = np.random.default_rng(0).normal(size=(2, 20, 4)).astype("float32")


def test_it_is_a_layer_like_any():
    layer = check_layer(lambda **o: EvolvedDecoderConvolutions(4, **o), X, shape=X.shape)
    wide, narrow, last = 11 * 4 + 4 * 8 + 8, 7 * 4 + 4 * 2 + 2, 7 * 8 + 8 * 4 + 4
    assert layer.count_params() == wide + narrow + 2 * 8 + last


def test_it_reads_sixteen_earlier_positions_and_no_other_example():
    layer = EvolvedDecoderConvolutions(4)
    layer(X)
    whole = numbers(forward(layer)(X))
    changed = X.copy()
    changed[0, 2] += 1
    moved = np.abs(numbers(forward(layer)(changed)) - whole).max(-1) > 1e-7
    assert moved[0].tolist() == [False] * 2 + [True] * 17 + [False] and not moved[1].any()
    segments = np.array([[1] * 5 + [2] * 13 + [0] * 2, [1] * 20], "int32")
    packed = numbers(forward(layer)(X, mask=SegmentMask(segments, causal=True)))
    np.testing.assert_allclose(packed[:1, 5:18], numbers(forward(layer)(X[:1, 5:18])), atol=1e-5)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="hidden_dim: 5 is odd"):
        EvolvedDecoderConvolutions(5)
