"""How `fit`, `evaluate` and `predict` go through kt2t's `Batches`. Data of any other kind is left to Keras."""

from __future__ import annotations

import logging
from typing import Any

_logger = logging.getLogger("kt2t")


def is_batches(x: Any) -> bool:
    """Whether these are kt2t's `Batches`."""
    return callable(getattr(x, "dataset", None))


def is_endless(x: Any) -> bool:
    """Whether these are `Batches` that begin again after each pass, as those for training do."""
    return is_batches(x) and getattr(x, "repeat", False) is True


def epochs_of(x: Any) -> dict[str, Any]:
    """Options of `fit` for `Batches`: if they are endless, an epoch is one pass over the examples unless told otherwise."""
    if not is_batches(x):
        return {}
    return {"shuffle": False, **({"steps_per_epoch": len(x)} if is_endless(x) else {})}


def continued(x: Any, step: int) -> Any:
    """Endless `Batches` from the optimizer's step on, so that `fit` in rounds trains on all of them.

    Batches that were already told where to begin (`Batches.at`) begin there.
    """
    if not step or not is_endless(x) or not hasattr(x, "at") or getattr(x, "start", None):
        return x
    _logger.info("fit: goes on at step %d of the batches, as the optimizer does", step)
    return x.at(step)


def one_pass(x: Any) -> tuple[Any, int | None]:
    """Data that ends, and after how many batches to stop if it does not end by itself."""
    if not is_endless(x):
        return x, None
    return (x.once(), None) if callable(getattr(x, "once", None)) else (x, len(x))
