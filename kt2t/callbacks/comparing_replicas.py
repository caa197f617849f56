"""Checks that all replicas, the copies of a model on several devices, hold the same weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kt2t.errors import DriftError


class ComparingReplicas(keras.callbacks.Callback):
    """Callback that stops all workers at an epoch's end if the replicas (copies of the model on devices) have other weights.

    Each replica applies the same update to the same weights, so the weights stay equal to the last bit. Defective
    memory, or processors that round differently, make them differ, and nothing else would detect it. This callback
    compares the sha256 of the trainable weights before the evaluation. Place it before `Checkpointing`, so that
    differing weights are not saved, and before `EvaluatingAverages`, which copies the first replica's weights to all
    replicas.

    Args:
        team: The `kt2t.training.workers.team.Team` of the run, i.e. its worker processes.

    Raises:
        ArithmeticError: From `fit`: the replicas do not hold the same weights.
    """

    def __init__(self, team: Any) -> None:
        super().__init__()
        self._team = team
        self._compared = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._compared = False

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._compare()
        self._compared = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._compared:
            self._compare()

    def _compare(self) -> None:
        replicas = getattr(self.model, "replicas", None)
        if replicas is None or not replicas.divided:
            return
        copies = [
            replicas.strategy.experimental_local_results(variable.value) for variable in self.model.trainable_weights
        ]
        found = [_digest([copy[place].numpy() for copy in copies]) for place in range(replicas.local)]
        if self._team.differing({"weights": found}) or len(set(found)) > 1:
            raise DriftError(
                "the replicas do not hold the same weights any more, so what was trained since the last checkpoint is lost. "
                "Start again from there; if it comes again, look for defective memory or processors of different kinds."
            )


def _digest(arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
