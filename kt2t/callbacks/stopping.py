"""Whether a training has been told to stop."""

from __future__ import annotations

from typing import Any


def is_stopping(model: Any) -> bool:
    """Whether all workers have agreed to stop for a signal; a model that hears of none is never told."""
    return getattr(model, "stop_signal", None) is not None
