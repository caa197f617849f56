"""Local attention against Tensor2Tensor's own numbers."""

from __future__ import annotations

import re

import pytest
from golden_means import check_means, rule

from kt2t.layers.local_attention import LocalAttention
from kt2t.layers.relative_local_attention import RelativeLocalAttention

TABLE = "layer/mrl/relative_embeddings"


def _number(meta, pattern):
    return int(re.search(pattern, meta["exercises"])[1])


def _block(meta):
    return meta["block"] if "block" in meta else _number(meta, r"block (\d+)")


def _check(case, block, margin, causal, cls=LocalAttention):
    heads, depth = case["in/q"].shape[1], case["in/q"].shape[3]
    layer = cls(heads, block, margin)
    layer.build((None, None, heads * depth))
    if cls is RelativeLocalAttention:
        table = case[f"var/{TABLE}"]
        layer.key_distances.assign(table[len(table) - layer.key_distances.shape[0] :])
    check_means(case, layer, rule(case, causal))


@pytest.mark.cases("layer_masked_local_1d")
def test_own_and_previous_block(case, meta):
    _check(case, _block(meta), None, True)


@pytest.mark.cases("layer_masked_within_block_1d")
def test_own_block(case, meta):
    _check(case, _block(meta), 0, True)


@pytest.mark.cases("layer_local_1d_unmasked")
def test_both_sides(case, meta):
    _check(case, _block(meta), _number(meta, r"filter_width (\d+)"), False)


@pytest.mark.cases("layer_masked_relative_local_1d")
def test_own_and_previous_block_with_distances(case, meta):
    _check(case, _block(meta), None, True, RelativeLocalAttention)
