"""Groups of examples: few, disjoint, with little padding."""

from __future__ import annotations

import numpy as np

from kt2t.data.shapes import length_groups


def groups_of(table, tokens=None, rows=None, multiple=1, shapes=24, share=0.5):
    table = np.asarray(table)
    return length_groups(table, np.arange(len(table)), tokens, rows, multiple, shapes, share)


def test_two_clusters_are_cut_where_they_part():
    groups = groups_of([[2, 3]] * 20 + [[9, 8]] * 10, rows=5)
    assert [(group.shape, len(group.members)) for group in groups] == [((2, 3), 20), ((9, 8), 10)]
    assert groups[0].taker == 1 and groups[1].taker is None


def test_the_best_single_cut_is_found():
    """Against trying every threshold on every axis by hand."""
    table = np.random.default_rng(0).integers(1, 12, (300, 2))
    found = sum(len(group.members) * sum(group.shape) for group in groups_of(table, rows=1, shapes=2))
    best = min(
        sum(len(side) * side.max(0).sum() for side in (table[below], table[~below]) if len(side))
        for axis in (0, 1)
        for limit in range(1, 12)
        for below in [table[:, axis] <= limit]
    )
    assert found == best


def test_every_example_is_in_one_group_that_holds_it():
    table = np.random.default_rng(1).integers(0, 40, (1000, 3))
    groups = groups_of(table, tokens=400)
    assert sorted(np.concatenate([group.members for group in groups]).tolist()) == list(range(1000))
    assert len(groups) <= 24
    for group in groups:
        assert (table[group.members] <= group.shape).all()
        assert group.rows * max(group.shape) <= 400


def test_rows_are_a_multiple_and_no_more_than_needed():
    (group,) = groups_of([[5]] * 9, tokens=4096, multiple=4)
    assert group.rows == 12
    assert all(
        group.rows % 4 == 0 for group in groups_of(np.arange(1, 200)[:, None].repeat(9, 0), tokens=900, multiple=4)
    )


def test_without_lengths_there_is_one_group():
    (group,) = groups_of(np.zeros((10, 0), int), rows=4)
    assert group.shape == () and group.rows == 4
