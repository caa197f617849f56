"""The moving averages of the weights, where an optimizer keeps them (`use_ema`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kt2t.training.clipping import innermost


def take_averages(model: Any) -> None:
    """Puts the averages in the place of the weights, for good; nothing where none are kept or no step was made."""
    for weight, average in _pairs(model):
        weight.assign(keras.ops.convert_to_numpy(average))


@contextlib.contextmanager
def averaged(model: Any) -> Iterator[None]:
    """The averages in the place of the weights within the block."""
    pairs = _pairs(model)
    before = [keras.ops.convert_to_numpy(weight) for weight, _ in pairs]
    take_averages(model)
    try:
        yield
    finally:
        for (weight, _), value in zip(pairs, before, strict=True):
            weight.assign(value)


@contextlib.contextmanager
def kept_apart(model: Any) -> Iterator[None]:
    """Keeps `fit` from ending with the averages in the place of the weights, so that it can go on as if it had not ended."""
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
