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
    """Whether the data are `Batches` that repeat without end, as training batches do."""
    return is_batches(x) and getattr(x, "repeat", False) is True


def epochs_of(x: Any) -> dict[str, Any]:
    """Returns default options of `fit` for `Batches`: no shuffling, and one pass per epoch if they are endless."""
    if not is_batches(x):
        return {}
    return {"shuffle": False, **({"steps_per_epoch": len(x)} if is_endless(x) else {})}


def continued(x: Any, step: int) -> Any:
    """Returns endless `Batches` that start at `step`, so that a second `fit` continues where the first one stopped.

    `Batches` whose start was set by `Batches.at` keep it. Other data is returned unchanged.
    """
    begins_elsewhere = bool(getattr(x, "start", 0))
    if not step or not is_endless(x) or not hasattr(x, "at") or begins_elsewhere:
        return x
    _logger.info("fit: goes on at step %d of the batches, as the optimizer does", step)
    return x.at(step)


def restore(model: Any, callbacks: Any) -> None:
    """Restores the model at once, if a `BackupAndRestore` is among the callbacks of `fit`.

    Keras restores it later, when `continued` has already used the optimizer's step. Restoring it twice does no harm.
    """
    given = callbacks if isinstance(callbacks, list | tuple) else getattr(callbacks, "callbacks", [callbacks])
    for callback in given:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            callback.set_model(model)
            callback.on_train_begin()


def one_pass(x: Any) -> tuple[Any, int | None]:
    """Returns the data for one pass, and the number of batches after which to stop; None if the data ends by itself."""
    if not is_endless(x):
        return x, None
    return (x.once(), None) if callable(getattr(x, "once", None)) else (x, len(x))
