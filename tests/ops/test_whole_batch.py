from __future__ import annotations

from kt2t.ops.whole_batch import rows_that_count, showing, summed_over_replicas


def test_outside_of_a_trainer_all_rows_count_and_nothing_is_summed():
    assert rows_that_count() is None and summed_over_replicas([1, 2]) == [1, 2]


def test_what_is_shown_is_seen_inside_the_block_alone():
    with showing("rows", lambda tensors: [10 * one for one in tensors]):
        assert rows_that_count() == "rows" and summed_over_replicas((1, 2)) == [10, 20]
        with showing(None):
            assert rows_that_count() is None and summed_over_replicas([3]) == [3]
        assert rows_that_count() == "rows"
    assert rows_that_count() is None
