"""Averages the losses of an epoch, weighted by the sample weights of its batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kt2t.training.objective import Sums


class LossTracker(keras.metrics.Metric):
    """Metric for the loss of an epoch, Σ(w·l) / Σw over all its batches, unlike the mean of the batches' means.

    A loss without a weight counts with its mean over the steps. If it is the model's own loss (`compile` got none, or
    `compute_loss` is overridden), it is part of `loss`. If it is auxiliary (`add_loss` in addition to a loss of the
    targets), it is reported separately.

    Args:
        coefficients: The coefficient of each loss in the total.
        logged_names: Names of the losses to log as `NAME_loss`; empty to log the total alone.
        name: Name of the metric.
    """

    def __init__(
        self, coefficients: Sequence[float], logged_names: Sequence[str] = (), name: str = "loss"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self._coefficients = list(coefficients)
        self._logged_names = list(logged_names)
        size = (max(len(self._coefficients), 1),)
        self._totals = counter(size, "totals")
        self._weights = counter(size, "weights")
        self._own = counter((), "own")
        self._auxiliary = counter((), "auxiliary")
        self._steps = counter((), "steps")

    def record(self, sums: Sequence[Sums], own: Any = None, auxiliary: Any = None, only_finite: bool = False) -> None:
        """Adds the sums of a whole batch to the epoch.

        Args:
            sums: Σ(w·l) and Σw of each loss.
            own: The model's own loss of the batch, a scalar, if it has one.
            auxiliary: The sum of the auxiliary losses of the batch, a scalar, if there are any.
            only_finite: Whether to skip sums that are not finite, together with their weights.
        """
        if sums:
            totals = ops.stack([one.total for one in sums])
            weights = ops.stack([one.weight for one in sums])
            if only_finite:
                kept = ops.isfinite(totals)
                totals, weights = ops.where(kept, totals, 0.0), ops.where(kept, weights, 0.0)
            self._totals.assign_add(totals)
            self._weights.assign_add(weights)
        for value, total in ((own, self._own), (auxiliary, self._auxiliary)):
            if value is not None:
                total.assign_add(ops.where(ops.isfinite(value), value, 0.0) if only_finite else value)
        self._steps.assign_add(1.0)

    def result(self) -> dict[str, Any]:
        ratios = ops.divide_no_nan(self._totals, self._weights)
        coefficients = ops.convert_to_tensor(self._coefficients or [0.0], "float32")
        loss = ops.sum(ratios * coefficients) + ops.divide_no_nan(self._own, self._steps)
        return {"loss": loss, **{f"{name}_loss": ratios[i] for i, name in enumerate(self._logged_names)}}

    def auxiliary(self) -> Any:
        """Returns the mean of the auxiliary losses (from `add_loss`) over the steps of the epoch, a scalar."""
        return ops.divide_no_nan(self._auxiliary, self._steps)


def counter(shape: tuple[int, ...], name: str, dtype: str = "float32") -> keras.Variable:
    """Makes a metric's variable of zeros that has one value for all replicas; Keras's own variables have one per replica."""
    return keras.Variable(
        "zeros", shape=shape, dtype=dtype, trainable=False, aggregation="only_first_replica", name=name
    )
