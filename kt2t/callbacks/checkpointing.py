"""Saves checkpoints at each epoch end, records the best step, and stops training cleanly on request."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from kt2t.callbacks.logs import Mode, bare, is_better, mode_of, training, validation, value_of
from kt2t.callbacks.pace import step_of
from kt2t.callbacks.stopping import is_stopping
from kt2t.disk import whole_file
from kt2t.errors import NumericsError, ResourceError

BEST = "best.json"
_logger = logging.getLogger("kt2t")


class Checkpointing(keras.callbacks.Callback):
    """Callback that saves checkpoints, and keeps the newest few and the best one.

    When all workers have agreed to stop because of a signal (`model.stop_signal`), it saves a checkpoint and ends
    training. Place it after `Scoring`, whose scores it compares, and before `TensorBoard` and other callbacks that may
    fail, so that the weights are saved first. `best.json` in the folder holds `{step, metric, value, since}`: the best
    step, the metric's name and value there, and the later evaluated steps, whose values were no better.

    Args:
        folder: Folder in which the `step-N/` folders are written.
        every_epoch: Whether to save at each epoch end; otherwise only if the value is better, at a stop and at the end.
        keep: Number of newest checkpoints to keep besides the best.
        best: Validation metric that selects the best checkpoint (`bleu`, `loss`, …). None keeps no best checkpoint.
        mode: `min` or `max`. None derives it from the metric's name.
        recipe: The run's full recipe, stored in each checkpoint.
        writes: Whether this process writes files; with several workers, only the first does.
        extra: Function that returns more values to store in a checkpoint, beside its `metrics`.

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
        writes: bool = True,
        extra: Callable[[], Mapping[str, Any]] | None = None,
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
        self.writes = writes
        self.extra = extra
        self._best: dict[str, Any] | None = None
        self._saved = 0
        self._warned = self._trains = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._saved = step_of(self.model)
        found = read_best(self.folder)
        self._best = found if found and found["metric"] == self.metric else None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if is_stopping(self.model):
            self.model.stop_training = True
            self._save(step_of(self.model), {})

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._trains = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._trains = False

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if is_stopping(self.model):
            self.model.stop_evaluating = self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = step_of(self.model)
        if is_stopping(self.model):
            self.model.stop_training = True
        best = self._judged(step, logs)
        if self.every_epoch or is_stopping(self.model) or best and best["step"] == step:
            # A stop cuts the evaluation short: the values of a part of the split must not be stored as the step's values.
            self._save(step, training(logs) if is_stopping(self.model) else logs)
        if best:
            self._best = best
            if self.writes:
                write_best(self.folder, best)
        self._prune()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._save(step_of(self.model), logs)
        self._prune()

    def rescue(self, error: Exception) -> None:
        """Saves a checkpoint after `fit` failed with an error in the evaluation or scoring at an epoch's end.

        Does nothing if the error came from a training step, which may be half done, or if it is a NumericsError or
        ResourceError. The checkpoint holds no metrics, so a continued run measures them again.
        """
        step = step_of(self.model)
        if self._trains or step == self._saved or isinstance(error, NumericsError | ResourceError):
            return
        try:
            self._save(step, {})
        except (NumericsError, ResourceError) as second:
            _logger.warning("what was trained up to step %d is not saved: %s", step, second)

    def _judged(self, step: int, logs: Mapping[str, float] | None) -> dict[str, Any] | None:
        """Returns the content of `best.json` after this evaluation; judging a step again after a restart changes nothing."""
        if self.metric is None or is_stopping(self.model):
            return None
        value = value_of(self.metric, logs)
        if value is None:
            self._warn(logs)
            return None
        best = self._best
        if is_better(value, best["value"] if best else None, self.mode):
            return {"step": step, "metric": self.metric, "value": value, "since": []}
        if best is None:
            return None
        since = [*(one for one in best.get("since", []) if one < step), step]
        return {**best, "since": [one for one in since if one > best["step"]]}

    def _warn(self, logs: Mapping[str, float] | None) -> None:
        if not self._warned:
            self._warned = True
            there = ", ".join(sorted(validation(logs))) or "nothing"
            _logger.warning(
                "best: %r was not measured on validation, so no best checkpoint is kept. Measured there: %s.",
                self.metric,
                there,
            )

    def _save(self, step: int, logs: Mapping[str, float] | None) -> None:
        if step == self._saved or not self.writes:
            return
        from kt2t.training import checkpoints

        metrics = {name: float(value) for name, value in (logs or {}).items()}
        extra = {"metrics": metrics, **(self.extra() if self.extra else {})}
        checkpoints.save(self.folder, self.model, step, recipe=self.recipe, extra=extra)
        self._saved = step

    def _prune(self) -> None:
        from kt2t.training import checkpoints

        if self.writes:
            kept = {self._best["step"]} if self._best else set()
            checkpoints.prune(self.folder, keep_last=self.keep, keep=kept, newest=step_of(self.model))


def read_best(folder: str | Path) -> dict[str, Any] | None:
    """Reads `best.json` in a folder of checkpoints: a dict of `step`, `metric`, `value`, `since`; None if missing or damaged.

    `step` is the best step, `value` its value of the metric. `since` lists later evaluated steps that were no better.
    """
    try:
        found = json.loads((Path(folder) / BEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"step", "metric", "value"} <= found.keys() else None


def write_best(folder: str | Path, best: Mapping[str, Any]) -> None:
    """Writes `best`, a dict as `read_best` returns it, to `best.json` in a folder of checkpoints, replacing it atomically."""
    target = Path(folder) / BEST
    target.parent.mkdir(parents=True, exist_ok=True)
    whole_file(target, json.dumps(dict(best)))
