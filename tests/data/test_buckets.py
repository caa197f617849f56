"""Boundaries that grow, against a case worked by hand and the definition of a number with many divisors."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.buckets import bucket_groups, geometric_buckets
from kt2t.data.plan import Plan


def test_a_case_worked_by_hand():
    # Boundaries 4, 6 (4 · 1.5), 9; rows 40 // 4, 6, 9, 12 = 10, 6, 4, 3. Of the numbers up to 30, 24 has the most divisors.
    buckets = geometric_buckets(40, max_length=12, shortest=4, step=1.5)
    assert buckets.boundaries == (4, 6, 9)
    assert buckets.window == 24
    assert buckets.rows == (8, 6, 4, 3)
    assert buckets.waiting == 24
    double = geometric_buckets(40, max_length=12, shortest=4, step=1.5, multiple=2)
    assert double.rows == (16, 12, 8, 6) and double.boundaries == (4, 6, 9) and double.waiting == 24


def test_a_boundary_grows_by_one_token_at_least():
    assert geometric_buckets(100, max_length=14, step=1.01).boundaries == (8, 9, 10, 11, 12, 13)
    assert geometric_buckets(16).boundaries == tuple(range(8, 16))
    assert geometric_buckets(4, max_length=8).boundaries == ()


@pytest.mark.parametrize("limit", [1, 3, 40, 361, 5000])
def test_the_window_has_more_divisors_than_any_number_below_it(limit):
    counts = np.zeros(3 * limit + 1, int)
    for divisor in range(1, 3 * limit + 1):
        counts[divisor::divisor] += 1
    records = np.flatnonzero(counts[1:] > np.maximum.accumulate(counts)[:-1]) + 1
    assert geometric_buckets(limit, max_length=1, shortest=1).window == records[-1]


def test_examples_are_divided_by_their_longest_field():
    table = np.array([[3, 2], [1, 4], [5, 5], [20, 1], [6, 2], [3, 3]])
    buckets = geometric_buckets(40, max_length=12, shortest=4, step=1.5)
    groups = bucket_groups(table, np.arange(6), buckets)
    assert [sorted(group.members.tolist()) for group in groups] == [[0, 5], [1, 2], [4], [3]]
    assert [group.shape for group in groups] == [(3, 3), (5, 5), (6, 2), (20, 1)]
    assert [group.rows for group in groups] == [2, 2, 1, 1]
    assert [group.taker for group in groups] == [1, None, None, None]


@pytest.mark.parametrize("multiple", [1, 3])
def test_a_plan_with_buckets_has_every_example_once(multiple):
    chance = np.random.default_rng(0)
    lengths = {"inputs": chance.poisson(12, 500) + 1, "targets": chance.poisson(9, 500) + 1}
    plan = Plan(lengths, tokens=600, multiple=multiple, bucket_step=1.2)
    for epoch in (0, 1):
        batches = plan.epoch(epoch)
        seen = np.concatenate([batch.indices for batch in batches])
        assert sorted(seen[seen >= 0].tolist()) == list(range(500))
        for batch in batches:
            assert batch.rows % multiple == 0
            assert batch.rows * max(batch.shape.values()) <= 600
            for field, values in lengths.items():
                assert values[batch.indices[batch.indices >= 0]].max() <= batch.shape[field]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="step: 1.0 is not above 1"):
        geometric_buckets(100, step=1.0)
    with pytest.raises(ValueError, match="tokens: 0 is not positive"):
        geometric_buckets(0)
    with pytest.raises(ValueError, match="bucket_step: 1.1 is for padded batches of so many tokens"):
        Plan({"inputs": np.array([3])}, rows=4, bucket_step=1.1)
