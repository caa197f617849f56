"""Composes the logs of a step, the losses and metrics of the epoch so far, for the trainers of all backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kt2t.training.loss_tracker import LossTracker
from kt2t.training.objective import Objective, Sums
from kt2t.training.parts import Part
from kt2t.training.rows import Data
from kt2t.training.watching import BadSteps


class EpochLogs:
    """Records batches and composes the logs.

    | name | holds |
    | --- | --- |
    | `loss` | the weighted mean of the targets' loss; the model's own loss where `compile` got none |
    | `KEY_loss` | the same of one target, where `compile` got a dict of losses |
    | `auxiliary_loss` | what layers gave to `add_loss`, and regularizers; in training only, and only where there is any |
    | `METRIC`, `KEY_METRIC` | the metrics |
    | `gradient_norm`, `learning_rate`, `bad_steps` | of the last step, and of the epoch; in training only |

    Args:
        objective: The losses.
        bad_steps: Counts the skipped steps.
        metrics: Returns the metrics of the model and its layers, without the loss tracker and the count of bad steps.
    """

    def __init__(
        self, objective: Objective, bad_steps: BadSteps, metrics: Callable[[bool], Sequence[keras.metrics.Metric]]
    ) -> None:
        self._names = objective.names
        self._bad_steps = bad_steps
        self._metrics = metrics
        self._extra: str | None = None
        self.losses = LossTracker(objective.coefficients, objective.logged_names)

    @property
    def width(self) -> int:
        """Returns the length of the vector of sums."""
        return 2 * len(self._names) + 2

    def sums(self, part: Part, loss: Any, data: Data) -> Any:
        """Returns the sums over a part of a batch as one float32 vector; vectors of parts may be added."""
        vector = part.vector(self._names, loss, data)
        self._extra = part.extra
        return vector

    def of_training(self, sums: Any, finite: Any, step: Any, norm: Any, rate: Any) -> tuple[dict[str, Any], Any]:
        """Records a step, and returns the logs and the tokens of its batch.

        Args:
            sums: The sums over the whole batch.
            finite: Whether the gradients were finite, so that the update was applied.
            norm: Global norm of the gradients before clipping.
        """
        tokens = self._record(sums, only_finite=True)
        self._bad_steps.update_state(finite, step)
        logs = self._results(True)
        if self._extra == "auxiliary":
            logs["auxiliary_loss"] = self.losses.auxiliary()
        logs.update(gradient_norm=norm, learning_rate=rate, bad_steps=self._bad_steps.result())
        return logs, tokens

    def of_evaluation(self, sums: Any) -> dict[str, Any]:
        """Records a whole batch of an evaluation, whose metrics are up to date, and returns the logs."""
        self._record(sums, only_finite=False)
        return self._results(False)

    def _record(self, sums: Any, only_finite: bool) -> Any:
        count = len(self._names)
        pairs = [Sums(sums[place], sums[count + place]) for place in range(count)]
        extra = {self._extra: sums[2 * count]} if self._extra else {}
        self.losses.record(pairs, **extra, only_finite=only_finite)
        return sums[2 * count + 1]

    def _results(self, training: bool) -> dict[str, Any]:
        found: dict[str, Any] = self.losses.result()
        for metric in self._metrics(training):
            result = metric.result()
            found.update(result if isinstance(result, dict) else {metric.name: result})
        return found
