"""Reads Keras's logs by the names of metrics, and compares values of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

_PREFIXES = ("val_", "validation_")
_SMALLER_IS_BETTER = ("loss", "perplexity", "error", "wer", "cer", "ter", "edit_distance", "bits_per_byte")

Mode = Literal["min", "max"]


def validation(logs: Mapping[str, float] | None) -> dict[str, float]:
    """Returns the validation values of an epoch's logs by their bare names."""
    found: dict[str, float] = {}
    for name, value in (logs or {}).items():
        prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
        if prefix:
            found[name.removeprefix(prefix)] = float(value)
    return found


def training(logs: Mapping[str, float] | None) -> dict[str, float]:
    """Returns the training values of an epoch's logs."""
    return {name: float(value) for name, value in (logs or {}).items() if not name.startswith(_PREFIXES)}


def without_validation(logs: dict[str, float]) -> None:
    """Removes the validation values from an epoch's logs after an evaluation that did not finish."""
    for name in [name for name in logs if name.startswith(_PREFIXES)]:
        del logs[name]


def value_of(metric: str, logs: Mapping[str, float] | None) -> float | None:
    """Returns the validation value of `metric` (`bleu`, `validation_bleu`, `validation loss`); if the logs have no
    validation values, its training value; None if there is no such value."""
    name = bare(metric)
    validated = validation(logs)
    if validated:
        return validated.get(name)
    return training(logs).get(name)


def bare(metric: str) -> str:
    """Removes the validation prefix: returns `bleu` for `bleu`, `val_bleu`, `validation_bleu` and `validation bleu`."""
    name = metric.strip().replace(" ", "_")
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def mode_of(metric: str) -> Mode:
    """Returns `min` if smaller values of the metric are better, else `max`."""
    name = bare(metric)
    return "min" if any(name == word or name.endswith(f"_{word}") for word in _SMALLER_IS_BETTER) else "max"


def is_better(value: float, than: float | None, mode: Mode, min_delta: float = 0.0) -> bool:
    """Whether a value is better than `than`, the best so far, by more than `min_delta`; NaN is never better."""
    if value != value:
        return False
    if than is None:
        return True
    return value < than - min_delta if mode == "min" else value > than + min_delta
