"""Ends the training of all worker processes at the same epoch."""

from __future__ import annotations

from typing import Any

import keras


class FollowingTheFirst(keras.callbacks.Callback):
    """Callback that ends the training of every worker process at the epoch at which the first worker ends it.

    Place it after callbacks that may set `model.stop_training`, such as `EarlyStopping`, which only the first worker
    has.

    Args:
        team: The `kt2t.training.workers.team.Team` of the run, i.e. its worker processes.
    """

    def __init__(self, team: Any) -> None:
        super().__init__()
        self._team = team

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._team.broadcast(bool(self.model.stop_training)):
            self.model.stop_training = True
