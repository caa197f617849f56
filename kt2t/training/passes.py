"""Starts `fit`, `evaluate` and `predict` at the right batch of kt2t's `Batches`, the re-iterable dataset of a split.

Other data is left to Keras.
"""

from __future__ import annotations

import logging
from typing import Any

import keras

_logger = logging.getLogger("kt2t")


def is_batches(x: Any) -> bool:
    """Whether `x` is kt2t's `Batches`, the re-iterable dataset of one split, and not data for Keras."""
    return callable(getattr(x, "dataset", None))


def is_endless(x: Any) -> bool:
    """Whether `x` is kt2t's `Batches` that repeat without end, as those of the training split do."""
    return is_batches(x) and getattr(x, "repeat", False) is True


def epochs_of(x: Any) -> dict[str, Any]:
    """Returns default options of `fit` for kt2t's `Batches`: no shuffling, and one pass per epoch if they repeat endlessly.

    Args:
        x: The data of `fit`. For other data than `Batches` there are no options: {}.
    """
    if not is_batches(x):
        return {}
    return {"shuffle": False, **({"steps_per_epoch": len(x)} if is_endless(x) else {})}


def continued(x: Any, step: int) -> Any:
    """Returns endless `Batches` that start at `step`, so that a second `fit` continues where the first one stopped.

    `Batches` whose start was set by `Batches.at` are returned unchanged, and so is other data.

    Args:
        x: The data of `fit`.
        step: The optimizer's step, from which training continues.
    """
    begins_elsewhere = bool(getattr(x, "start", 0))
    if not step or not is_endless(x) or not hasattr(x, "at") or begins_elsewhere:
        return x
    _logger.info("fit: goes on at step %d of the batches, as the optimizer does", step)
    return x.at(step)


def restore(model: Any, callbacks: Any) -> None:
    """Restores a model from the backup of a `BackupAndRestore` callback, if `fit` has one among its callbacks.

    Keras restores it later, after `continued` has read the optimizer's step. Restoring it twice does no harm.

    Args:
        model: The model.
        callbacks: The callbacks of `fit`: a list, a `CallbackList`, one callback or None.
    """
    given = callbacks if isinstance(callbacks, list | tuple) else getattr(callbacks, "callbacks", [callbacks])
    for callback in given:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            callback.set_model(model)
            callback.on_train_begin()


def one_pass(x: Any) -> tuple[Any, int | None]:
    """Returns the data for one pass over kt2t's `Batches`, and the number of batches after which to stop.

    The number is None if the data ends by itself, as data other than endless `Batches` does.
    """
    if not is_endless(x):
        return x, None
    return (x.once(), None) if callable(getattr(x, "once", None)) else (x, len(x))
