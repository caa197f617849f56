"""Keeps a run: saves at each epoch end, remembers the best step, and stops cleanly when asked to."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from kt2t.callbacks.logs import Mode, bare, is_better, mode_of, validation, value_of
from kt2t.callbacks.pace import step_of
from kt2t.disk import whole_file

BEST = "best.json"


class Checkpointing(keras.callbacks.Callback):
    """Saves checkpoints, keeps the newest few and the best one, and saves before a stop that was asked for.

    It stands after `Scoring`, whose values it compares, and before `TensorBoard` and whatever else may fail, so that
    the weights are safe first. `best.json` in the folder holds `{step, metric, value}`.

    Args:
        folder: Where the `step-N/` folders go.
        every_epoch: Whether to save at each epoch end; otherwise only a better one, at a stop and at the end.
        keep: How many of the newest checkpoints stay besides the best.
        best: The metric that decides which is best (`bleu`, `loss`, …, on validation); None keeps no best.
        mode: `min` or `max`; None means what the metric's name says.
        recipe: The run's full recipe, kept in each checkpoint.

    Raises:
        ValueError: `keep` is not positive.
    """

    def __init__(
        self,
        folder: str | Path,
        every_epoch: bool = True,
        keep: int = 3,
        best: str | None = None,
        mode: Mode | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if keep < 1:
            raise ValueError(f"keep: {keep} is not positive.")
        self.folder = Path(folder)
        self.every_epoch = every_epoch
        self.keep = keep
        self.metric = bare(best) if best else None
        self.mode: Mode = mode or mode_of(best or "")
        self.recipe = recipe
        self._best: dict[str, Any] | None = None
        self._saved = 0
        self._stop = self._cut = self._warned = False

    def request_stop(self) -> None:
        """Asks for a save and an end after the running batch; safe to call from a signal handler."""
        self._stop = True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.stop_requested = False
        self._cut = False
        self._saved = step_of(self.model)
        found = read_best(self.folder)
        self._best = found if found and found["metric"] == self.metric else None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._stop:
            self._end()
            self._save(step_of(self.model), {})

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._stop:
            self._cut = True
            self.model.stop_evaluating = True
            self._end()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = step_of(self.model)
        if self._stop:
            self._end()
        better = self._better(step, logs)
        if self.every_epoch or better or self._stop:
            self._save(step, logs)
        if better:
            self._best = better
            write_best(self.folder, better)
        self._prune()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._save(step_of(self.model), logs)
        self._prune()

    def _end(self) -> None:
        self.model.stop_requested = True
        self.model.stop_training = True

    def _better(self, step: int, logs: Mapping[str, float] | None) -> dict[str, Any] | None:
        if self.metric is None or self._cut or self._stop:
            return None
        value = value_of(self.metric, logs)
        if value is None:
            self._warn(logs)
            return None
        than = self._best["value"] if self._best else None
        return {"step": step, "metric": self.metric, "value": value} if is_better(value, than, self.mode) else None

    def _warn(self, logs: Mapping[str, float] | None) -> None:
        if not self._warned:
            self._warned = True
            there = ", ".join(sorted(validation(logs))) or "nothing"
            warnings.warn(
                f"best: {self.metric!r} was not measured on validation, so no best checkpoint is kept. "
                f"Measured there: {there}.",
                stacklevel=2,
            )

    def _save(self, step: int, logs: Mapping[str, float] | None) -> None:
        if step == self._saved:
            return
        from kt2t.training import checkpoints

        metrics = {name: float(value) for name, value in (logs or {}).items()}
        checkpoints.save(self.folder, self.model, step, recipe=self.recipe, extra={"metrics": metrics})
        self._saved = step

    def _prune(self) -> None:
        from kt2t.training import checkpoints

        checkpoints.prune(self.folder, keep_last=self.keep, keep={self._best["step"]} if self._best else set())


def read_best(folder: str | Path) -> dict[str, Any] | None:
    """`{step, metric, value}` of the best checkpoint in a folder, None where none is known."""
    try:
        found = json.loads((Path(folder) / BEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"step", "metric", "value"} <= found.keys() else None


def write_best(folder: str | Path, best: Mapping[str, Any]) -> None:
    """Replaces `best.json` in one go, so that it is whole at any moment."""
    target = Path(folder) / BEST
    target.parent.mkdir(parents=True, exist_ok=True)
    whole_file(target, json.dumps(dict(best)))
