"""Reads the logs that Keras passes to callbacks by the names of metrics, and compares values of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

_PREFIXES = ("val_", "validation_")
_SMALLER_IS_BETTER = ("loss", "perplexity", "error", "wer", "cer", "ter", "edit_distance", "bits_per_byte")

Mode = Literal["min", "max"]


def validation(logs: Mapping[str, float] | None) -> dict[str, float]:
    """Returns the validation values in an epoch's logs, by name without the prefix `val_` or `validation_`."""
    found: dict[str, float] = {}
    for name, value in (logs or {}).items():
        prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
        if prefix:
            found[name.removeprefix(prefix)] = float(value)
    return found


def training(logs: Mapping[str, float] | None) -> dict[str, float]:
    """Returns the training values in an epoch's logs, i.e. those without the prefix `val_` or `validation_`, by name."""
    return {name: float(value) for name, value in (logs or {}).items() if not name.startswith(_PREFIXES)}


def without_validation(logs: dict[str, float]) -> None:
    """Removes the validation values from an epoch's logs, in place. Used after an evaluation that did not finish."""
    for name in [name for name in logs if name.startswith(_PREFIXES)]:
        del logs[name]


def value_of(metric: str, logs: Mapping[str, float] | None) -> float | None:
    """Returns the validation value of a metric in an epoch's logs, or None if it is missing.

    If the logs have no validation values at all, the training value is returned.

    Args:
        metric: The metric's name, with or without prefix: `bleu`, `validation_bleu` or `validation loss`.
        logs: The logs of an epoch.
    """
    name = bare(metric)
    validated = validation(logs)
    if validated:
        return validated.get(name)
    return training(logs).get(name)


def bare(metric: str) -> str:
    """Removes the validation prefix from a metric's name: `val_bleu`, `validation_bleu`, `validation bleu` become `bleu`."""
    name = metric.strip().replace(" ", "_")
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def mode_of(metric: str) -> Mode:
    """Returns `min` if smaller values of the metric are better, as its name shows (`loss`, `wer`, …); else `max`."""
    name = bare(metric)
    return "min" if any(name == word or name.endswith(f"_{word}") for word in _SMALLER_IS_BETTER) else "max"


def is_better(value: float, than: float | None, mode: Mode, min_delta: float = 0.0) -> bool:
    """Whether a value is better than `than` by more than `min_delta`; NaN is never better.

    Args:
        value: The new value of a metric.
        than: The best value so far; None if there is none, so that any value is better.
        mode: `min` if smaller values are better, else `max`.
        min_delta: Smallest difference that counts as an improvement.
    """
    if value != value:
        return False
    if than is None:
        return True
    return value < than - min_delta if mode == "min" else value > than + min_delta
