"""Composes the logs of each training step, i.e. losses and metrics of the epoch so far, on all backends."""

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
    """The losses and metrics of an epoch, summed over its batches, from which the logs of each step are composed.

    | name | holds |
    | --- | --- |
    | `loss` | the weighted mean of the targets' loss; the model's own loss if `compile` got none |
    | `KEY_loss` | the loss of one target, if `compile` got a dict of losses |
    | `auxiliary_loss` | losses given to `add_loss`, and regularizers; in training only, if there are any |
    | `METRIC`, `KEY_METRIC` | the metrics; of layers whose metrics have one name, the mean |
    | `gradient_norm`, `learning_rate` | values of the last step; in training only |
    | `bad_steps` | number of skipped steps in the epoch; in training only |

    Args:
        objective: The losses given to `compile`.
        bad_steps: The metric that counts skipped steps.
        metrics: Function (training) → the metrics of the model and its layers, without the loss tracker and
            `bad_steps`.
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
        """The length of the vector that `sums` returns."""
        return 2 * len(self._names) + 2

    def sums(self, part: Part, loss: Any, data: Data) -> Any:
        """Returns the sums over a part of a batch as one float32 vector. The vectors of all parts add up to the batch's.

        Args:
            part: The part, whose loss was computed.
            loss: The result of `compute_loss` for the part.
            data: The part's (x, y, sample_weight).
        """
        vector = part.vector(self._names, loss, data)
        self._extra = part.extra
        return vector

    def of_training(self, sums: Any, finite: Any, step: Any, norm: Any, rate: Any) -> tuple[dict[str, Any], Any]:
        """Adds a training step to the epoch, and returns the logs of the epoch so far and the batch's number of tokens.

        Args:
            sums: The sums over the whole batch.
            finite: Whether the gradients were finite, so that the update was applied.
            step: The step's number.
            norm: Global norm of the gradients before clipping.
            rate: The learning rate of the step.
        """
        tokens = self._record(sums, only_finite=True)
        self._bad_steps.update_state(finite, step)
        logs = self._results(True)
        if self._extra == "auxiliary":
            logs["auxiliary_loss"] = self.losses.auxiliary()
        logs.update(gradient_norm=norm, learning_rate=rate, bad_steps=self._bad_steps.result())
        return logs, tokens

    def of_evaluation(self, sums: Any) -> dict[str, Any]:
        """Adds a batch of an evaluation to the epoch, and returns the logs so far. The metrics must already include the batch.

        Args:
            sums: The sums over the whole batch.
        """
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
        of_layers: dict[str, list[Any]] = {}
        for metric in self._metrics(training):
            result = metric.result()
            if isinstance(result, dict):
                found.update(result)
            else:
                of_layers.setdefault(metric.name, []).append(result)
        found.update({name: sum(each[1:], each[0]) / len(each) for name, each in of_layers.items()})
        return found
