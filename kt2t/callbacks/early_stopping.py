"""Stops training when a metric no longer improves."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.callbacks.logs import Mode, is_better, mode_of, value_of


class EarlyStopping(keras.callbacks.Callback):
    """Stops after `patience` evaluations without a better value.

    Unlike Keras's own it knows our names of metrics and which way each is better, and never touches the weights: the
    best ones are in the checkpoint that `Checkpointing(best=...)` keeps. It stands after `Scoring`.

    Args:
        metric: As in the logs: `loss`, `perplexity`, `bleu`; the validation value is meant.
        patience: In evaluations.
        min_delta: How much better counts as better.
        mode: `min` or `max`; None means what the metric's name says.

    Raises:
        ValueError: `patience` is not positive.
    """

    def __init__(
        self, metric: str = "loss", patience: int = 5, min_delta: float = 0.0, mode: Mode | None = None
    ) -> None:
        super().__init__()
        if patience < 1:
            raise ValueError(f"patience: {patience} is not positive.")
        self.metric = metric
        self.patience = patience
        self.min_delta = min_delta
        self.mode: Mode = mode or mode_of(metric)
        self.best: float | None = None
        self.waited = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = value_of(self.metric, logs)
        if value is None:
            return
        if is_better(value, self.best, self.mode, self.min_delta):
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.model.stop_training = True
