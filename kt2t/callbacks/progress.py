"""Shows the progress of training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import atexit
import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from kt2t.callbacks.logs import validation
from kt2t.callbacks.pace import Pace, step_of
from kt2t.callbacks.stopping import is_stopping
from kt2t.callbacks.terminal import close_display, is_terminal, open_display, stderr

if TYPE_CHECKING:
    from rich.console import Console

_REDRAW_SECONDS = 0.5
_LINE_SECONDS = (15.0, 60.0)  # seconds between two lines: at first, and at most


class Progress(keras.callbacks.Callback):
    """Callback that prints the step, loss, tokens per second, time left and the values of each evaluation to stderr.

    On a terminal it shows a bar, with a line above it for each evaluation. Elsewhere and in notebooks it prints only
    lines, also between evaluations: after 15 seconds, then after 30, then every minute. The first line comes after the
    first step. The line of an evaluation says over how many examples its values were computed.

    Args:
        total_steps: The run's last step; by default the last step of this `fit`.
        start_step: The step at which this `fit` continues.
        console: The rich console to print to; stderr by default.
        keep: Function that also gets the line of each evaluation, for example to write it to a log.
        validated: Number of examples that the validation metrics are computed over, if known.
        scored: Number of examples of each score, by the score's name, if it is not `validated`; read at each
            evaluation.

    Raises:
        ValueError: `total_steps` is not above `start_step`.
    """

    def __init__(
        self,
        total_steps: int | None = None,
        start_step: int = 0,
        console: Console | None = None,
        keep: Callable[[str], None] | None = None,
        validated: int | None = None,
        scored: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        if total_steps is not None and total_steps <= start_step:
            raise ValueError(f"total_steps: {total_steps} is not above start_step {start_step}.")
        self.total_steps = total_steps
        self.start_step = start_step
        self._console = console
        self._keep = keep
        self._validated = validated
        self._scored = scored if scored is not None else {}
        self._bar: Any = None
        self._began = math.nan
        self._drawn = 0.0
        self._line_seconds = _LINE_SECONDS[0]
        self._first: tuple[int, float] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._console = self._console or stderr()
        if math.isnan(self._began):  # a run may call `fit` more than once
            self._began = time.perf_counter()
            self._pace, self._bar_pace = Pace(self.model), Pace(self.model)
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        self._total = self.total_steps or (steps * epochs if steps and epochs else None)
        if is_terminal(self._console):
            self._open_bar()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_start = max(step_of(self.model), self.start_step)
        self._pace.resume()
        self._bar_pace.resume()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step, now = self._epoch_start + batch + 1, time.perf_counter()
        self._pace.tick(step)
        self._bar_pace.tick(step)
        if self._first is None:
            self._first = (step, now)
            self._drawn = now
            self._say(f"first step after {now - self._began:.0f} s")
        if now - self._drawn >= (self._line_seconds if self._bar is None else _REDRAW_SECONDS):
            self._drawn = now
            summary = self._summary(step, logs or {}, self._bar_pace.read())
            if self._bar is None:
                self._line_seconds = min(2 * self._line_seconds, _LINE_SECONDS[1])
                self._say(" · ".join([self._where(step), *summary]))
            else:
                self._bar.update(self._task, completed=step, summary=" · ".join(summary))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = max(step_of(self.model), self.start_step)
        self._drawn = time.perf_counter()
        evaluated = [] if is_stopping(self.model) else self._evaluated(validation(logs))
        line = " · ".join([self._where(step), *self._summary(step, logs or {}, self._pace.read()), *evaluated])
        self._say(line)
        if self._keep is not None:
            self._keep(line)
        if self._bar is not None:
            self._bar.update(self._task, completed=step)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Removes the bar from the terminal. `fit` does this at its end; call it only if `fit` raised an error."""
        if self._bar is not None:
            close_display(self._bar)
            self._bar = None
            atexit.unregister(self.close)

    def _open_bar(self) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        step = "step {task.completed}/{task.total}" if self._total else "step {task.completed}"
        columns = (TextColumn(step), BarColumn(), TextColumn("{task.fields[summary]}"))
        # Results on stdout must not end up on stderr, so stdout is redirected only if it is a terminal too.
        self._bar = Bar(*columns, console=self._console, transient=True, redirect_stdout=sys.stdout.isatty())
        self._task = self._bar.add_task("train", total=self._total, completed=self.start_step, summary="the first step…")
        open_display(self._bar)
        atexit.register(self.close)

    def _where(self, step: int) -> str:
        return f"step {step}/{self._total}" if self._total else f"step {step}"

    def _evaluated(self, measured: Mapping[str, float]) -> list[str]:
        """Formats the values of an evaluation; the last value of each group over the same examples also has their number."""
        counts = [self._scored.get(name, self._validated) for name in measured]
        shown = []
        for (name, value), count, following in zip(measured.items(), counts, [*counts[1:], None], strict=False):
            over = "" if count is None or count == following else f" ({count:,} example{'s' * (count != 1)})"
            shown.append(f"validation_{name} {_figure(value)}{over}")
        return shown

    def _summary(self, step: int, logs: Mapping[str, Any], rates: Mapping[str, float]) -> list[str]:
        parts = [f"loss {_figure(float(logs['loss']))}"] if "loss" in logs else []
        if "tokens_per_second" in rates:
            parts.append(f"{rates['tokens_per_second']:,.0f} tokens/s")
        elif "steps_per_second" in rates:
            parts.append(f"{rates['steps_per_second']:.3g} steps/s")
        left = self._seconds_left(step)
        return parts if left is None else [*parts, f"{_duration(left)} left"]

    def _seconds_left(self, step: int) -> float | None:
        """Estimates the seconds left from the time per step since the first step, which includes evaluations."""
        if not self._total or self._first is None or step <= self._first[0]:
            return None
        per_step = (time.perf_counter() - self._first[1]) / (step - self._first[0])
        return per_step * max(self._total - step, 0)

    def _say(self, line: str) -> None:
        if self._console is not None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
