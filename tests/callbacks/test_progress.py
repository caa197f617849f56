"""Lines and the bar, on a clock that the test turns."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from kt2t.callbacks import Progress


@pytest.fixture
def clock(monkeypatch):
    held = SimpleNamespace(now=0.0)
    monkeypatch.setattr("time.perf_counter", lambda: held.now)
    return held


def train(callback, clock, epochs=2, steps=10, start=0, model=None, logs=None, validated=None):
    model = model or SimpleNamespace(tokens_seen=0.0)
    model.optimizer = SimpleNamespace(iterations=start)
    callback.set_model(model)
    callback.set_params({"epochs": epochs, "steps": steps})
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(steps):
            clock.now += 14.0 if epoch == batch == 0 else 1.0
            if hasattr(model, "tokens_seen"):
                model.tokens_seen += 4120
            model.optimizer.iterations += 1
            callback.on_train_batch_end(batch, {"loss": 3.2104} if logs is None else logs)
        clock.now += 10.0
        callback.on_epoch_end(epoch, {**({"loss": 3.2104} if logs is None else logs), **(validated or {})})
    callback.on_train_end()


def plain(**options):
    held = io.StringIO()
    return Progress(console=Console(file=held), **options), held


def test_plain_lines(clock):
    callback, held = plain(total_steps=1000)
    train(callback, clock, validated={"val_loss": 2.5, "validation_bleu": 12.345678})
    first, second, third = held.getvalue().splitlines()
    assert first == "first step after 14 s"
    # 9 steps and 10 seconds of evaluation took 19 seconds; 990 steps are left
    assert second == (
        "step 10/1000 · loss 3.21 · 4,120 tokens/s · 34:50 left · validation_loss 2.5 · validation_bleu 12.35"
    )
    assert third.startswith("step 20/1000 · loss 3.21 · 4,120 tokens/s · ")


def test_evaluations_are_kept_elsewhere_too(clock):
    kept: list[str] = []
    callback, held = plain(total_steps=1000, keep=kept.append)
    train(callback, clock, validated={"val_loss": 2.5})
    assert kept == held.getvalue().splitlines()[1:] and kept[1].startswith("step 20/1000 · loss 3.21 · ")


def test_lines_between_evaluations_soon_and_then_one_a_minute(clock):
    callback, held = plain(total_steps=1000)
    train(callback, clock, epochs=1, steps=200)
    lines = held.getvalue().splitlines()
    # 15 seconds, of one step each, after the first step; then 30, and then 60 each time
    assert [line.split(" · ")[0] for line in lines[1:]] == [f"step {n}/1000" for n in (16, 46, 106, 166, 200)]
    assert lines[2] == "step 46/1000 · loss 3.21 · 4,120 tokens/s · 15:54 left"


def test_hours_are_told_and_long_lines_not_broken(clock):
    callback, held = plain(total_steps=10_000)
    train(callback, clock, epochs=1, validated={f"val_metric_{i}": 123456.7 for i in range(20)})
    line = held.getvalue().splitlines()[1]
    assert " · 5:51:30 left · " in line
    assert line.endswith("validation_metric_19 123,457")


def test_missing_logs_break_nothing(clock):
    callback, held = plain(total_steps=20)
    train(callback, clock, model=SimpleNamespace(), logs={})
    assert held.getvalue().splitlines()[1] == "step 10/20 · 1 steps/s · 0:21 left"


def test_total_is_what_fit_was_told(clock):
    callback, held = plain()
    train(callback, clock)
    assert held.getvalue().splitlines()[-1].startswith("step 20/20 · ")
    callback, held = plain()
    train(callback, clock, epochs=1, model=SimpleNamespace())
    callback.set_params({"epochs": None, "steps": None})
    callback.on_train_begin()
    callback.on_epoch_end(0, None)
    assert held.getvalue().splitlines()[-1] == "step 10"


def test_a_second_fit_goes_on(clock):
    callback, held = plain(total_steps=40)
    train(callback, clock)
    train(callback, clock, start=20)
    assert held.getvalue().count("first step") == 1
    assert held.getvalue().splitlines()[-1].startswith("step 40/40 · ")


def test_a_run_that_was_told_to_stop_shows_no_half_evaluation(clock):
    callback, held = plain(total_steps=40)
    train(callback, clock, epochs=1, model=SimpleNamespace(stop_signal=15), validated={"val_loss": 2.5})
    assert "validation" not in held.getvalue()


@pytest.mark.parametrize("environment", [{"TERM": "xterm"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_a_terminal_has_a_bar_and_keeps_the_lines(clock, environment):
    held = io.StringIO()
    console = Console(file=held, force_terminal=True, width=100, _environ=environment)
    train(Progress(1000, console=console), clock, validated={"val_loss": 2.5})
    shown = held.getvalue()
    assert "first step after 14 s" in shown and "validation_loss 2.5" in shown
    assert "step 20/1000 " in shown and "╸" in shown and "left" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is hidden once and shown again"
    assert bool(re.search(r"\x1b\[(3|9)\d", shown)) != ("NO_COLOR" in environment)


def test_steps_are_checked():
    with pytest.raises(ValueError, match="total_steps: 5 is not above start_step 5"):
        Progress(5, start_step=5)


def test_a_line_says_over_how_many_examples_each_value_is(clock):
    scored = {}
    callback, held = plain(total_steps=1000, validated=2000, scored=scored)
    values = {"val_loss": 0.5, "val_token_accuracy": 0.75, "validation_exact_match": 1.0}
    train(callback, clock, epochs=1, validated=values)
    assert held.getvalue().splitlines()[-1].endswith("validation_exact_match 1 (2,000 examples)")
    scored["exact_match"] = 1
    train(callback, clock, epochs=1, validated=values)
    assert held.getvalue().splitlines()[-1].endswith(
        "validation_loss 0.5 · validation_token_accuracy 0.75 (2,000 examples) · validation_exact_match 1 (1 example)"
    )


def test_the_bar_of_a_command_gives_way_to_that_of_training(clock):
    """Two displays that redraw the same line alternate on it."""
    from rich.progress import Progress as Bars

    from kt2t.callbacks.terminal import close_display, open_display

    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    bars = Bars(console=console, transient=True)
    open_display(bars)
    seen = []
    callback = Progress(20, console=console, keep=lambda line: seen.append(bars.live.is_started))
    train(callback, clock)
    assert seen == [False, False] and bars.live.is_started
    close_display(bars)
    assert not bars.live.is_started
