"""Our masks against Tensor2Tensor's biases: true where a bias is 0, false where it is -1e9."""

from __future__ import annotations

import re

import numpy as np
import pytest
from harness import numbers

from kt2t.ops import masks
from kt2t.ops.positions import proximity

pytestmark = pytest.mark.cases("layer_attention_biases")


def _same(mask, bias, where=True):
    assert set(np.unique(np.abs(bias))) <= {0.0, np.float32(1e9)}
    wanted = bias[:, 0] == 0
    found = np.broadcast_to(numbers(mask), wanted.shape)
    np.testing.assert_array_equal(found & where, wanted & where)


def test_causal(case):
    _same(masks.causal(case["out/y"].shape[-1]), case["out/y"])


def test_local(case, meta):
    left, right = map(int, re.search(r"local\((\d+) back, ?(\d+) forward\)", meta["exercises"]).groups())
    _same(masks.window(case["out/local"].shape[-1], left, right), case["out/local"])


def test_the_prefix_is_what_stands_up_to_the_first_padding(case):
    padding = case["in/padding"]
    zero = np.where(padding.any(axis=1), padding.argmax(axis=1) + 1, padding.shape[1])
    _same(masks.prefix(zero.astype("int32"), padding.shape[1]), case["out/prepend_full"])


def test_padding(case):
    _same(masks.padding((case["in/padding"] == 0).astype("int32")), case["out/ignore_padding"])


def test_same_segment(case):
    """Where the query is real: our padding sees nothing, upstream's sees other padding."""
    segments = case["in/segments"]
    assert (segments > 0).any()
    _same(masks.same_segment(segments, segments), case["out/same_segment"], (segments > 0)[:, :, None])


def test_proximity(case):
    wanted = case["out/proximal"][:, 0]
    np.testing.assert_allclose(numbers(proximity(wanted.shape[-1])), wanted, atol=1e-6)
