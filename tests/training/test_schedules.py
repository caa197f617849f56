from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.registry import build, describe
from kt2t.training.schedules import Constant, ExponentialWarmup, LinearWarmup, Noam, Product, ReciprocalSquareRoot


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_noam_is_the_papers_formula_counted_from_one():
    steps = np.arange(0, 12000, 500)
    count = steps + 1.0
    expected = 2.0 * 512**-0.5 * np.minimum(count**-0.5, count * 4000**-1.5)
    np.testing.assert_allclose(rates(Noam(512, warmup=4000, scale=2.0), steps), expected, rtol=1e-6)


def test_noam_peaks_at_the_end_of_the_warmup():
    assert np.argmax(rates(Noam(64, warmup=10), range(40))) == 9


def test_transformer_base_peak():
    # README of Tensor2Tensor's facts: 9.88e-4 at step 8000.
    schedule = Product([Constant(2.0 * 512**-0.5), LinearWarmup(8000), ReciprocalSquareRoot(8000)])
    assert rates(schedule, [0, 8000]) == pytest.approx([0.0, 9.882e-4], rel=1e-4)


def test_factors_may_be_kerass_own():
    decay = keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5)
    assert rates(Product([Constant(4.0), decay]), [0, 10, 20]) == pytest.approx([4.0, 2.0, 1.0])


def test_exponential_warmup_hands_over():
    schedule = ExponentialWarmup(100, after=Constant(7.0))
    assert rates(schedule, [0, 50, 99, 100, 5000]) == pytest.approx([0.01, 0.1, 0.01**0.01, 7.0, 7.0], rel=1e-5)


@pytest.mark.parametrize("schedule", [Noam(16, 4), Product([Constant(2.0), LinearWarmup(3)], steps_per_count=2)])
def test_described_built_and_saved_by_keras_it_is_the_same(schedule):
    assert describe(build(describe(schedule))) == describe(schedule)
    optimizer = keras.optimizers.SGD(schedule)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert float(again._learning_rate(5)) == pytest.approx(float(schedule(5)))


def test_no_factors_are_refused():
    with pytest.raises(ValueError, match="factors: there is none"):
        Product([])


@pytest.mark.parametrize("make", [lambda: Noam(0), lambda: Noam(4, -1), lambda: LinearWarmup(0)])
def test_sizes_must_be_positive(make):
    with pytest.raises(ValueError, match="is not positive"):
        make()
