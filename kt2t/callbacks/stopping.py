"""Tells callbacks whether training is stopping."""

from __future__ import annotations

from typing import Any


def is_stopping(model: Any) -> bool:
    """Whether all workers have agreed to stop because of a signal; False for a model that does not watch for signals."""
    return getattr(model, "stop_signal", None) is not None
