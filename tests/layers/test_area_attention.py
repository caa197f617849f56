"""Attention to areas, against the formula area by area."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, check_packed, check_steps, sequence
from harness import check_layer, forward, numbers

from kt2t.layers import (
    AreaAddition,
    AreaAttention,
    AreaConcatenation,
    AreaDeviation,
    AreaMax,
    AreaMean,
    AreaSample,
    Attention,
    Cache,
)

# The last bias moves all logits of a query alike, so its gradient is zero up to rounding.
WITHOUT = ("area_keys.output_projection.bias",)
MIXED = AreaConcatenation([AreaMean(), AreaDeviation()])


def by_areas(layer, x, causal, widest):
    """Means as keys and sums as values of all runs of positions up to a width."""
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    out = []
    for row in x:
        heads = []
        for head in range(layer.num_heads):
            q, k, v = (np.split(row @ kernel[name], layer.num_heads, -1)[head] for name in ("query", "key", "value"))
            means = []
            for i in range(len(row)):
                seen = [
                    slice(start, start + width)
                    for width in range(1, widest + 1)
                    for start in range(len(row) - width + 1)
                    if start + width - 1 <= i or not causal
                ]
                weights = np.exp([q[i] @ k[area].mean(0) / np.sqrt(q.shape[-1]) for area in seen])
                means.append(weights / weights.sum() @ np.stack([v[area].sum(0) for area in seen]))
            heads.append(np.stack(means))
        out.append(np.concatenate(heads, -1) @ kernel["output_projection"])
    return np.stack(out)


@pytest.mark.parametrize("keys", [MIXED, AreaAddition([AreaMax()])])
def test_it_is_a_layer_like_any(keys):
    check_layer(lambda **o: AreaAttention(2, 3, keys=keys, **o), sequence(5), shape=(2, 5, 8), without_gradient=WITHOUT)


def test_drawn_keys_differ_in_training():
    layer = AreaAttention(2, 3, keys=AreaSample(), dropout=0.0)
    check_layer(lambda **o: layer, sequence(5), shape=(2, 5, 8), has_dropout=True, bfloat16=False)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("widest", [1, 3, 7])
def test_it_is_the_formula(causal, widest):
    layer, x = AreaAttention(2, widest), sequence(5)
    np.testing.assert_allclose(attended(layer, x, causal), by_areas(layer, x, causal, widest), atol=1e-4)


def test_areas_of_width_1_are_plain_attention():
    layer, plain, x = AreaAttention(2, 1), Attention(2), sequence(6)
    found = attended(layer, x)
    plain.build(x.shape)
    for name in ("query", "key", "value", "output_projection"):
        getattr(plain, name).kernel.assign(getattr(layer, name).kernel)
    np.testing.assert_allclose(found, attended(plain, x), atol=1e-5)


def test_examples_of_a_packed_row_are_as_in_rows_of_their_own():
    check_packed(AreaAttention(2, 3, keys=MIXED), (4, 1, 5), causal=False, atol=1e-4)


@pytest.mark.parametrize("keys", [None, MIXED, AreaMax()])
def test_one_position_after_another_is_all_at_once(keys):
    check_steps(AreaAttention(2, 3, keys=keys), sequence(8), atol=1e-4)


def test_it_reads_a_grid_as_memory():
    layer, x, memory = AreaAttention(2, 2, 2, 3), sequence(2), sequence(12, seed=1)
    whole = numbers(forward(layer)(x, memory=memory))
    cache = Cache(2, 4)
    layer.remember(memory, cache)
    np.testing.assert_allclose(numbers(layer(x, memory=memory, cache=cache)), whole, atol=1e-5)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="max_width: 0 is not positive"):
        AreaAttention(2, 0)
    with pytest.raises(ValueError, match="keys: .* is no statistic of areas. Use AreaMean"):
        AreaAttention(2, keys=Attention(2))
    with pytest.raises(ValueError, match="height: a grid is not decoded position by position"):
        AreaAttention(2, 2, 2, 3).reserve(Cache(1, 2))
