"""Moving averages of the weights, for optimizers that keep them (`use_ema`).

A run trains the weights and evaluates their averages. After a script's own `fit` the model holds the averages, as after
Keras's `fit`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kt2t.training.clipping import innermost


def take_averages(model: Any) -> None:
    """Replaces the model's weights by their averages, if its optimizer keeps averages and has made a step."""
    for weight, average in _pairs(model):
        weight.assign(keras.ops.convert_to_numpy(average))


@contextlib.contextmanager
def weights_averaged(model: Any) -> Iterator[None]:
    """Replaces the weights by their averages inside the `with` block, and restores them afterwards."""
    pairs = _pairs(model)
    before = [keras.ops.convert_to_numpy(weight) for weight, _ in pairs]
    take_averages(model)
    try:
        yield
    finally:
        for (weight, _), value in zip(pairs, before, strict=True):
            weight.assign(value)


@contextlib.contextmanager
def fit_keeps_weights(model: Any) -> Iterator[None]:
    """Stops a `fit` inside the `with` block from replacing the weights by their averages at its end.

    A run calls `fit` several times and must continue with the weights themselves.
    """
    optimizer = innermost(model.optimizer)
    object.__setattr__(optimizer, "finalize_variable_values", lambda variables: None)
    try:
        yield
    finally:
        object.__delattr__(optimizer, "finalize_variable_values")


def _pairs(model: Any) -> list[tuple[Any, Any]]:
    optimizer = innermost(getattr(model, "optimizer", None))
    if not getattr(optimizer, "use_ema", False) or not int(keras.ops.convert_to_numpy(optimizer.iterations)):
        return []
    return list(zip(model.trainable_variables, optimizer._model_variables_moving_average, strict=True))
