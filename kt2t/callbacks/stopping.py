"""Checks whether training is stopping because of a signal."""

from __future__ import annotations

from typing import Any


def is_stopping(model: Any) -> bool:
    """Whether all workers have agreed to stop the training of `model` because of a signal (`model.stop_signal`).

    False for a model without this attribute, such as one of Keras's own.
    """
    return getattr(model, "stop_signal", None) is not None
