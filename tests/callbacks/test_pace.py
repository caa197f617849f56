"""Rates between readings, on a clock that the test turns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kt2t.callbacks.pace import Pace, step_of


@pytest.fixture
def clock(monkeypatch):
    held = SimpleNamespace(now=0.0)
    monkeypatch.setattr("time.perf_counter", lambda: held.now)
    return held


def run(pace, model, clock, steps, seconds, tokens):
    for step in steps:
        clock.now += seconds
        model.tokens_seen += tokens
        model.input_seconds += seconds / 4
        model.step_seconds += seconds * 3 / 4
        pace.tick(step)


def test_rates_leave_out_compilation_and_evaluation(clock):
    model = SimpleNamespace(tokens_seen=0.0, input_seconds=0.0, step_seconds=0.0)
    pace = Pace(model)
    pace.resume()
    run(pace, model, clock, [1], 60.0, 100)
    assert pace.read() == {}
    run(pace, model, clock, range(2, 12), 0.5, 100)
    clock.now += 1000.0
    pace.resume()
    run(pace, model, clock, range(12, 22), 0.5, 100)
    rates = pace.read()
    assert rates == pytest.approx({"steps_per_second": 2.0, "tokens_per_second": 200.0, "waiting_for_input": 0.25})
    assert pace.read() == {}
    run(pace, model, clock, range(22, 24), 0.25, 100)
    assert pace.read()["steps_per_second"] == pytest.approx(4.0)


def test_a_model_without_sums_has_steps_only(clock):
    pace = Pace(SimpleNamespace())
    for step in (1, 2, 3):
        clock.now += 1.0
        pace.tick(step)
    assert pace.read() == {"steps_per_second": 1.0}


def test_step_is_the_optimizers():
    assert step_of(SimpleNamespace(optimizer=SimpleNamespace(iterations=7.0))) == 7
