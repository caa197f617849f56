"""Measures the speed of training between two reports."""

from __future__ import annotations

import time
from typing import Any


class Pace:
    """A stopwatch for training steps, which excludes evaluations, saving and the compilation at the first step.

    Call `resume` at the beginning of each epoch, `tick` after each step, and `read` for the rates since the last
    `read`. Some rates need running sums, which the trainers keep: `model.tokens_seen` (summed sample weights),
    `input_seconds` (waiting for the next batch) and `step_seconds` (the rest of a step).

    Args:
        model: The model in training.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._step: int | None = None
        self._seconds = 0.0
        self._resumed = time.perf_counter()
        self._read = self._sums()

    def resume(self) -> None:
        """Restarts the clock at the beginning of an epoch, so that the time between epochs does not count."""
        self._resumed = time.perf_counter()

    def tick(self, step: int) -> None:
        """Records that the training step number `step` has ended. The first call only starts the clock."""
        now = time.perf_counter()
        if self._step is None:
            self._resumed, self._step, self._last = now, step, step
            self._read = self._sums()
            return
        self._seconds += now - self._resumed
        self._resumed, self._last = now, step

    def read(self) -> dict[str, float]:
        """Returns the rates since the last reading: `steps_per_second`, `tokens_per_second` and `waiting_for_input`.

        `waiting_for_input` is the share of time spent waiting for batches, 0 to 1. A rate is missing if the model does
        not keep its sums. The dict is empty if no step has ended since the last reading.
        """
        if self._step is None or self._last == self._step or self._seconds <= 0.0:
            return {}
        sums = self._sums()
        grown = {name: value - self._read.get(name, 0.0) for name, value in sums.items()}
        rates = {"steps_per_second": (self._last - self._step) / self._seconds}
        if "tokens_seen" in grown:
            rates["tokens_per_second"] = grown["tokens_seen"] / self._seconds
        if grown.get("input_seconds", 0.0) + grown.get("step_seconds", 0.0) > 0.0:
            waited, worked = grown.get("input_seconds", 0.0), grown.get("step_seconds", 0.0)
            rates["waiting_for_input"] = waited / (waited + worked)
        self._step, self._seconds, self._read = self._last, 0.0, sums
        return rates

    def _sums(self) -> dict[str, float]:
        names = ("tokens_seen", "input_seconds", "step_seconds")
        return {name: float(value) for name in names if (value := getattr(self._model, name, None)) is not None}


def step_of(model: Any) -> int:
    """Returns the model's training step: the number of updates that its optimizer has made."""
    import keras

    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))
