"""Handles the moving averages of the weights that an optimizer with `use_ema` keeps.

A run trains the weights and evaluates their averages. If a script calls `fit` itself, the model holds the averages
afterwards, as after Keras's `fit`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kt2t.training.clipping import innermost


def take_averages(model: Any) -> None:
    """Assigns the moving averages of the weights to the weights, if the model's optimizer keeps averages (`use_ema`).

    Does nothing before the first step.
    """
    for weight, average in _pairs(model):
        weight.assign(keras.ops.convert_to_numpy(average))


@contextlib.contextmanager
def weights_averaged(model: Any) -> Iterator[None]:
    """Replaces the model's weights by their moving averages inside the `with` block, and restores them afterwards.

    Does nothing if the optimizer keeps no averages (`use_ema`) or has made no step.
    """
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
    """Prevents `fit` inside the `with` block from replacing the weights by their moving averages at its end, as Keras does.

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
