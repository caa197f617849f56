"""Wraps the metrics of a model with several targets, so that each reads the segments of its own target."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.ops import segments


class TargetMetric(keras.metrics.Metric):
    """Wraps a metric of one of several targets, so that it gets that target's segments from `ops.segments.shown()`.

    Segments mark which positions belong to an example and which are padding.

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
    """Wraps each metric in a dict by target as a `TargetMetric`; returns metrics in a list, or None, unchanged.

    Args:
        metrics: A dict from a target's key to its metrics, a list of metrics, or None.
        alone: Whether there is only one target. Keras then omits its key from the names in the logs, so it is added
            here.
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
