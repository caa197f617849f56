"""The batches of an epoch: every example once, in the budget, the same from any step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kt2t.data.plan import Plan
from kt2t.errors import DataError


def lengths(count=3000, seed=0):
    chance = np.random.default_rng(seed)
    source = chance.poisson(12, count) + 1
    return {"inputs": source, "targets": np.maximum(1, source + chance.integers(-4, 5, count))}


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 300),
    tokens=st.integers(60, 2000),
    multiple=st.integers(1, 3),
    shuffle=st.booleans(),
    seed=st.integers(0, 9),
)
def test_every_example_once_and_within_the_budget(count, tokens, multiple, shuffle, seed):
    given_lengths = lengths(count, seed)
    plan = Plan(given_lengths, tokens=tokens, multiple=multiple, shuffle=shuffle, seed=seed)
    for epoch in (0, 1):
        batches = plan.epoch(epoch)
        assert len(batches) == len(plan)
        assert len({(batch.rows, *batch.shape.values()) for batch in batches}) <= 24
        seen = np.concatenate([batch.indices for batch in batches])
        longest = np.maximum(*given_lengths.values())
        expected = np.flatnonzero(longest <= tokens // multiple) if shuffle else np.arange(count)
        assert sorted(seen[seen >= 0].tolist()) == expected.tolist()
        for batch in batches:
            real = batch.indices[batch.indices >= 0]
            assert batch.rows % multiple == 0
            assert batch.rows * max(batch.shape.values()) <= tokens or not shuffle
            for field, values in given_lengths.items():
                assert values[real].max(initial=0) <= batch.shape[field]


def test_little_padding_at_a_usual_budget():
    plan = Plan(lengths(30_000), tokens=4096)
    batches = plan.epoch(0)
    real = sum(values.sum() for values in lengths(30_000).values())
    assert plan.fill == pytest.approx(real / sum(batch.rows * sum(batch.shape.values()) for batch in batches))
    assert plan.fill > 0.9


def test_a_batch_is_a_function_of_the_step():
    one, other = Plan(lengths(), tokens=500, seed=3), Plan(lengths(), tokens=500, seed=3)
    steps = [0, 2 * len(one) + 5, 7, len(one) - 1]
    in_order = [batch for epoch in range(3) for batch in one.epoch(epoch)]
    for step in steps:
        assert (other.batch(step).indices == in_order[step].indices).all()


def test_epochs_and_seeds_differ():
    plan = Plan(lengths(), tokens=500)
    orders = [plan.batch(0), plan.batch(len(plan)), Plan(lengths(), tokens=500, seed=1).batch(0)]
    assert len({tuple(batch.indices) for batch in orders}) == 3


def test_without_shuffling_in_order_of_length_and_every_epoch_alike():
    plan = Plan(lengths(), tokens=500, shuffle=False)
    sizes = [sum(plan.batch(step).shape.values()) for step in range(len(plan))]
    assert sizes == sorted(sizes)
    assert (plan.batch(0).indices == plan.batch(len(plan)).indices).all()


def test_too_long_ones_are_dropped_in_training_and_cut_in_evaluation():
    values = {"targets": np.array([3, 9, 4, 20])}
    training = Plan(values, rows=2, max_length=8)
    assert training.dropped == 2 and "2 of 4 examples are longer than 8 tokens" in training.summary()
    evaluation = Plan(values, rows=4, max_length=8, shuffle=False)
    assert evaluation.cut == 2 and evaluation.dropped == 0
    assert max(evaluation.batch(step).shape["targets"] for step in range(len(evaluation))) == 8
    assert Plan(values, tokens=10).dropped == 1
    with pytest.raises(DataError, match="all 4 examples are longer than 2 tokens; the shortest has 3"):
        Plan(values, rows=2, max_length=2)


def test_each_field_may_have_its_own_limit():
    values = {"inputs": np.array([3, 9, 4, 5]), "targets": np.array([3, 9, 7, 5])}
    training = Plan(values, rows=2, max_length={"inputs": 8, "targets": 6})
    assert training.dropped == 2 and sorted(np.concatenate([b.indices for b in training.epoch(0)])) == [0, 3]
    assert training.summary() == "2 of 4 examples are longer than 8 tokens of inputs or 6 of targets and are left out"
    evaluation = Plan(values, rows=4, max_length={"targets": 6}, shuffle=False, shapes=1)
    assert evaluation.cut == 2 and evaluation.batch(0).shape == {"inputs": 9, "targets": 6}
    both = Plan(values, tokens=8, max_length={"targets": 6})
    assert both.dropped == 2 and both.limit == "8 tokens of inputs or 6 of targets"
    buckets = Plan(values, tokens=64, max_length={"inputs": 8, "targets": 6}, bucket_step=1.1)
    assert buckets.dropped == 2
    with pytest.raises(DataError, match="all 4 examples are longer than 2 tokens of inputs; the shortest has 3"):
        Plan(values, rows=2, max_length={"inputs": 2})


def test_rows_without_lengths():
    plan = Plan({}, count=10, rows=4)
    assert len(plan) == 3 and sum((batch.indices >= 0).sum() for batch in plan.epoch(0)) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one"),
        ({"tokens": 5, "rows": 5}, "exactly one"),
        ({"rows": 0}, "rows: 0 is not positive"),
        ({"rows": 3, "multiple": 4}, "rows: 3 is fewer than the 4"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        Plan({"targets": np.array([1, 2])}, **options)


def growing(epoch):
    return None if epoch >= 2 else {"inputs": 5 + 4 * epoch}


def test_with_limits_an_epoch_has_as_many_batches_of_shorter_examples():
    values = lengths()
    plan, free = Plan(values, tokens=500, limits=growing), Plan(values, tokens=500)
    assert len(plan) == len(free) and plan.fill == free.fill
    for epoch, most in ((0, 5), (1, 9)):
        batches = plan.epoch(epoch)
        assert len(batches) == len(plan)
        seen = np.concatenate([batch.indices for batch in batches])
        seen = seen[seen >= 0]
        assert values["inputs"][seen].max() <= most
        assert set(seen.tolist()) == set(np.flatnonzero(values["inputs"] <= most).tolist())
    for one, other in zip(plan.epoch(2), free.epoch(2), strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)


def test_with_limits_a_batch_is_still_a_function_of_the_step():
    one, other = (Plan(lengths(), tokens=500, seed=3, limits=growing) for _ in range(2))
    in_order = [batch for epoch in range(3) for batch in one.epoch(epoch)]
    for step in (2 * len(one) + 5, 7, len(one) + 1, 0):
        assert (other.batch(step).indices == in_order[step].indices).all()


def test_limits_that_no_example_keeps_are_refused():
    plan = Plan({"inputs": np.array([3, 9])}, rows=2, limits=lambda epoch: {"inputs": 2})
    with pytest.raises(DataError, match="no example is as short as epoch 0 of the curriculum wants"):
        plan.epoch(0)
