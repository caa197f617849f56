"""Splitting into heads and merging again."""

from __future__ import annotations

import numpy as np
from keras import ops

from kt2t.ops.heads import merge_heads, split_heads


def test_head_h_holds_the_hth_part_of_the_last_axis():
    x = np.arange(2 * 3 * 8, dtype="float32").reshape(2, 3, 8)
    heads = ops.convert_to_numpy(split_heads(x, 4))
    assert heads.shape == (2, 4, 3, 2)
    for h in range(4):
        np.testing.assert_array_equal(heads[:, h], x[:, :, 2 * h : 2 * h + 2])


def test_merging_undoes_splitting():
    x = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(merge_heads(split_heads(x, 2))), x)
