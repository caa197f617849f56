"""Wraps Keras's metrics so that every position counts the same, whatever the length of its batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


class FlatMetric(keras.metrics.Metric):
    """Wraps a Keras metric and flattens its arguments to (batch · time), so that every position counts the same.

    Keras averages weighted values over all axes but the first before it sums over batches. With weights of (batch,
    time) a position of a long batch would then count less. `flat` does not wrap metrics of other authors.

    Shapes:
        y_true (batch, time, …), y_pred (batch, time, …, classes), sample_weight (batch, time, …)

    Args:
        metric: A Keras metric, the name of one, or a function of (y_true, y_pred).
    """

    def __init__(self, metric: Any) -> None:
        by_shape = isinstance(metric, str) and metric in ("accuracy", "acc")
        inner = None if by_shape else _metric(metric)
        super().__init__(name=metric if inner is None or isinstance(metric, str) else inner.name)
        self.inner = inner

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if self.inner is None:
            self.inner = _accuracy(y_true, y_pred)(name=self.name)
        axes = 0 if sample_weight is None else len(sample_weight.shape)
        if 2 <= axes < len(y_pred.shape):
            y_true, y_pred, sample_weight = (_flat(one, axes) for one in (y_true, y_pred, sample_weight))
        self.inner.update_state(y_true, y_pred, sample_weight=sample_weight)

    def result(self) -> Any:
        return 0.0 if self.inner is None else self.inner.result()

    def reset_state(self) -> None:
        if self.inner is not None:
            self.inner.reset_state()


def flat(metric: Any) -> Any:
    """Returns a `FlatMetric` of a Keras metric, its name or a function; other authors' metrics and None unchanged."""
    own = isinstance(metric, keras.metrics.Metric) and not type(metric).__module__.startswith("keras.")
    return metric if own or metric is None else FlatMetric(metric)


def _metric(given: Any) -> keras.metrics.Metric:
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.Metric):
        return found
    return _Function(found, name=given if isinstance(given, str) else given.__name__)


class _Function(keras.metrics.MeanMetricWrapper):
    """Averages a function. If it returns one number for a whole batch, the number is weighted by the batch's weight."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        value = self._fn(y_true, y_pred)
        if len(value.shape):
            super().update_state(y_true, y_pred, sample_weight=sample_weight)
            return
        rows = ops.cast(ops.shape(y_pred)[0], "float32")
        weight = rows if sample_weight is None else ops.sum(ops.cast(sample_weight, "float32"))
        keras.metrics.Mean.update_state(self, value, sample_weight=weight)


def _accuracy(y_true: Any, y_pred: Any) -> Callable[..., keras.metrics.Metric]:
    """Returns the metric class that Keras takes for the name `accuracy`, which depends on the shapes."""
    if y_pred.shape[-1] == 1:
        return keras.metrics.BinaryAccuracy
    if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1:
        return keras.metrics.SparseCategoricalAccuracy
    return keras.metrics.CategoricalAccuracy


def _flat(tensor: Any, axes: int) -> Any:
    tensor = ops.convert_to_tensor(tensor)
    return ops.reshape(tensor, (-1, *tensor.shape[axes:]))
