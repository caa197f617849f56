from __future__ import annotations

import numpy as np
import pytest

from kt2t.registry import build, describe
from kt2t.training.decays import (
    CosineCycles,
    CosineToZero,
    DelayedCosine,
    DelayedExponential,
    LinearCycles,
    LinearToZero,
)

STEPS = np.array([0, 1, 9, 10, 11, 55, 99, 100, 101, 150, 250])
WARMUP = 10
FORMULAS = {
    LinearToZero(100, 50): np.clip((100 - STEPS) / 50, 0, 1),
    CosineToZero(100, WARMUP): 0.5 + 0.5 * np.cos(np.pi * np.clip((STEPS - 10) / 90, 0, 1)),
    CosineCycles(40, WARMUP): 0.5 + 0.5 * np.cos(np.pi * np.maximum(STEPS - 10, 0) / 40),
    DelayedCosine(100, WARMUP): np.where(STEPS <= 10, 1, 0.5 * (1 + np.cos(np.pi * STEPS / 100))),
    DelayedExponential(0.5, 20, WARMUP): 0.5 ** (np.maximum(STEPS - 10, 0) / 20),
    DelayedExponential(0.5, 20, WARMUP, staircase=True): 0.5 ** (np.maximum(STEPS - 10, 0) // 20),
    # Upstream's form: the distance from the ends of the cycle, plus 0.1, times 3. Its own numbers could not be made.
    LinearCycles(100): (1 - np.abs(STEPS % 200 - 100) / 100 + 0.1) * 3,
}


@pytest.mark.parametrize("schedule", FORMULAS, ids=lambda schedule: type(schedule).__name__)
def test_formula(schedule):
    found = [float(schedule(int(step))) for step in STEPS]
    np.testing.assert_allclose(found, FORMULAS[schedule], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("schedule", FORMULAS, ids=lambda schedule: type(schedule).__name__)
def test_described_and_built_it_is_the_same(schedule):
    assert describe(build(describe(schedule))) == describe(schedule)


def test_linear_cycles_go_from_0_3_to_3_3():
    found = [float(LinearCycles(10)(step)) for step in (0, 10, 20)]
    assert found == pytest.approx([0.3, 3.3, 0.3])


def test_cosine_needs_steps_after_the_warmup():
    with pytest.raises(ValueError, match="steps: 10 is not above warmup 10"):
        CosineToZero(10, warmup=10)
