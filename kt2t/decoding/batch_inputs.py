"""Prepares a batch for answering: removes the answers and replaces rows that are not examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def has_source(fields: Iterable[str]) -> bool:
    """Returns True if there are inputs to answer. With targets alone a model continues a text, and has no reference.

    Args:
        fields: The names of features, of a problem or of a batch.
    """
    return any(name != "targets" and not name.endswith("_segments") for name in fields)


def without_answers(features: Mapping[str, Any]) -> dict[str, Any]:
    """Removes the targets from a batch's features; if there is nothing else, keeps the first half of each target.

    `generate` takes the targets of a model without a source as the beginning of its answer. Given whole targets, it would
    have nothing left to write.
    """
    if has_source(features):
        return {name: value for name, value in features.items() if name not in ("targets", "targets_segments")}
    targets = np.asarray(features["targets"])
    real = np.asarray(features.get("targets_segments", targets)) != 0
    first = np.cumsum(real, axis=1) <= real.sum(1, keepdims=True) // 2
    return {"targets": targets * first, "targets_segments": (real & first).astype("int32")}


def without_fillers(features: Mapping[str, Any], indices: np.ndarray) -> dict[str, np.ndarray]:
    """Replaces each row that is not an example by the first real row.

    An empty row seldom ends, and a batch is decoded until all its rows have ended.

    Args:
        features: Arrays with as many rows as `indices`.
        indices: (rows,), the example of each row; -1 for none.
    """
    indices = np.asarray(indices)
    rows = np.where(indices >= 0, np.arange(len(indices)), np.argmax(indices >= 0))
    return {name: np.asarray(value)[rows] for name, value in features.items()}
