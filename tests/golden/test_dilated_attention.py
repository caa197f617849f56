"""Dilated attention against Tensor2Tensor's own numbers."""

from __future__ import annotations

import re

import pytest
from golden_means import check_means, rule

from kt2t.layers.dilated_attention import DilatedAttention

SIZES = r"query block (\d+) memory block (\d+) gap (\d+), (\d+) memory blocks"


def _check(case, meta, causal):
    heads, depth = case["in/q"].shape[1], case["in/q"].shape[3]
    layer = DilatedAttention(heads, *map(int, re.search(SIZES, meta["exercises"]).groups()))
    layer.build((None, None, heads * depth))
    check_means(case, layer, rule(case, causal))


@pytest.mark.cases("layer_dilated_1d")
def test_both_sides(case, meta):
    _check(case, meta, causal=False)


@pytest.mark.cases("layer_masked_dilated_1d")
def test_earlier_positions(case, meta):
    _check(case, meta, causal=True)
