"""Stops training when a validation metric no longer improves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kt2t.callbacks.checkpointing import read_best
from kt2t.callbacks.logs import bare


class EarlyStopping(keras.callbacks.Callback):
    """Callback that stops training after `patience` evaluations without a new best value of a metric.

    Place it after `Checkpointing(folder, best=...)`, which records the best step and the steps evaluated since. Unlike
    Keras's callback, it reads the number of evaluations from this record, so a run that was killed and restarted ends
    at the same step. It never changes the weights; the best weights are in the best checkpoint, which is kept.

    Args:
        folder: The folder that `Checkpointing` writes to.
        metric: The metric that `Checkpointing` compares.
        patience: Number of evaluations without a new best value after which training stops.
        after: A step; evaluations up to it do not count.

    Raises:
        ValueError: `patience` is not positive.
    """

    def __init__(self, folder: str | Path, metric: str, patience: int = 5, after: int = 0) -> None:
        super().__init__()
        if patience < 1:
            raise ValueError(f"patience: {patience} is not positive.")
        self.folder = Path(folder)
        self.metric = bare(metric)
        self.patience = patience
        self.after = after

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.is_over():
            self.model.stop_training = True

    def is_over(self) -> bool:
        """Whether `patience` evaluations have passed without a new best value of the metric."""
        return len(self.waited()) >= self.patience

    def waited(self) -> list[int]:
        """Returns the steps of the evaluations since the best one, without those up to the step `after`."""
        best = read_best(self.folder)
        if best is None or best["metric"] != self.metric:
            return []
        return [step for step in best.get("since", []) if step > self.after]
