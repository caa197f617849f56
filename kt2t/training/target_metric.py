"""Wraps metrics so that each sees the segments of its own target."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.ops import segments


class TargetMetric(keras.metrics.Metric):
    """Wraps a metric of one of several targets; `ops.segments.shown()` then returns the segments of its target.

    Args:
        metric: Any Keras metric.
        target: The target's key.
        name: Name in the logs, by default the metric's name. Keras adds the prefix `KEY_` if there are several targets.
    """

    def __init__(self, metric: keras.metrics.Metric, target: str, name: str | None = None) -> None:
        super().__init__(name=name or metric.name)
        self.inner = metric
        self.target = target

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        with segments.showing_target(self.target):
            self.inner.update_state(y_true, y_pred, sample_weight=sample_weight)

    def result(self) -> Any:
        return self.inner.result()

    def reset_state(self) -> None:
        self.inner.reset_state()


def by_target(metrics: Any, alone: bool = False) -> Any:
    """Wraps the metrics of a dict, so that each sees the segments of its target; returns anything else unchanged.

    Args:
        alone: Whether there is only one target. Keras then omits its key from the names in the logs, so it is added here.
    """
    if not isinstance(metrics, dict):
        return metrics
    return {
        key: keras.tree.map_structure(
            lambda one, key=key: None if one is None else TargetMetric(one, key, f"{key}_{one.name}" if alone else None),
            given,
        )
        for key, given in metrics.items()
    }
