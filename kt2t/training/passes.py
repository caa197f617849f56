"""Iterates over kt2t's `Batches` in `fit`, `evaluate` and `predict`. Keras handles all other data."""

from __future__ import annotations

import logging
from typing import Any

import keras

_logger = logging.getLogger("kt2t")


def is_batches(x: Any) -> bool:
    """Whether the data are kt2t's `Batches`."""
    return callable(getattr(x, "dataset", None))


def is_endless(x: Any) -> bool:
    """Whether the data are `Batches` that repeat without end, as those for training do."""
    return is_batches(x) and getattr(x, "repeat", False) is True


def epochs_of(x: Any) -> dict[str, Any]:
    """Returns the options of `fit` for `Batches`. An epoch of endless ones is one pass, unless the caller sets it."""
    if not is_batches(x):
        return {}
    return {"shuffle": False, **({"steps_per_epoch": len(x)} if is_endless(x) else {})}


def continued(x: Any, step: int) -> Any:
    """Moves endless `Batches` to the optimizer's step, so that repeated calls of `fit` train on all of them.

    Batches with a start of their own (`Batches.at`) keep it.
    """
    begins_elsewhere = bool(getattr(x, "start", 0))
    if not step or not is_endless(x) or not hasattr(x, "at") or begins_elsewhere:
        return x
    _logger.info("fit: goes on at step %d of the batches, as the optimizer does", step)
    return x.at(step)


def restore(model: Any, callbacks: Any) -> None:
    """Lets a `BackupAndRestore` among the callbacks of `fit` restore the model already now.

    Keras does so later, when `continued` has already asked the optimizer for its step. That it then happens again changes
    nothing.
    """
    given = callbacks if isinstance(callbacks, list | tuple) else getattr(callbacks, "callbacks", [callbacks])
    for callback in given:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            callback.set_model(model)
            callback.on_train_begin()


def one_pass(x: Any) -> tuple[Any, int | None]:
    """Returns the data for one pass, and the number of batches to stop after if it does not end by itself."""
    if not is_endless(x):
        return x, None
    return (x.once(), None) if callable(getattr(x, "once", None)) else (x, len(x))
