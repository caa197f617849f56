"""Relative attention with skewing against Tensor2Tensor's own numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_means import check_means, rule

from kt2t.layers.relative_global_attention import RelativeGlobalAttention

SIZES = r"max_relative_position (\d+), heads_share (\w+), add to values (\w+)"
BOTH_SIDES = r"max (\d+) heads_share (\w+) values (\w+)"
TABLES = {"key_relative_embeddings": "key_distances", "value_relative_embeddings": "value_distances"}


def _layer(case, sizes, scope, both_sides):
    """The layer with the case's tables, and the tables by upstream's names."""
    heads, depth = case["in/q"].shape[1], case["in/q"].shape[3]
    limit, shares, values = int(sizes[1]), sizes[2] == "True", sizes[3] == "True"
    layer = RelativeGlobalAttention(heads, limit, limit - 1 if both_sides else 0, shares, values)
    layer.build((None, None, heads * depth))
    tables = {f"layer/{scope}/{theirs}": getattr(layer, ours) for theirs, ours in TABLES.items()}
    tables = {name: table for name, table in tables.items() if table is not None}
    assert {f"var/{name}" for name in tables} == {name for name in case.files if name.startswith("var/")}
    for name, table in tables.items():
        table.assign(case[f"var/{name}"])
    return layer, tables


@pytest.mark.cases("layer_relative_v2_a")
def test_earlier_keys(case, meta):
    _check_causal(case, meta)


@pytest.mark.cases("layer_relative_v2_b")
def test_earlier_keys_with_a_table_for_each_head_and_the_values(case, meta):
    _check_causal(case, meta)


def _check_causal(case, meta):
    sizes = re.search(SIZES, meta["exercises"])
    layer, tables = _layer(case, sizes, "dot_product_self_attention_relative_v2", both_sides=False)
    check_means(case, layer, rule(case, causal=True), tables)


@pytest.mark.cases("layer_relative_v2_unmasked")
def test_keys_on_both_sides(case, meta):
    sizes = re.search(BOTH_SIDES, meta["exercises"])
    layer, tables = _layer(case, sizes, "dot_product_unmasked_self_attention_relative_v2", both_sides=True)
    mask = np.broadcast_to(case["in/bias"][:, 0] > -1, (*case["in/bias"].shape[:1], 1, case["in/q"].shape[2]))
    check_means(case, layer, mask, tables)
