"""Mean squared error of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kt2t.registry import register
from kt2t.scores.score import Score


@register
class SquaredError(Score):
    """Mean squared error, averaged over examples; with several references the nearest one counts.

    Shapes:
        n arrays of numbers, n references of the same shapes (or lists of references) → {"squared_error": value}

    Raises:
        ValueError: A prediction and its reference differ in shape.

    Source: none.
    """

    name = "squared_error"

    def compute(self, predictions: list[Any], references: list[list[Any]]) -> dict[str, float]:
        pairs = zip(predictions, references, strict=True)
        errors = [min(self._error(found, right) for right in several) for found, several in pairs]
        return {self.name: float(np.mean(errors))}

    @property
    def signature(self) -> str:
        return "squared_error"

    def _error(self, found: Any, right: Any) -> float:
        one, other = np.asarray(found, np.float64), np.asarray(right, np.float64)
        if one.shape != other.shape:
            raise ValueError(f"squared_error compares numbers of shape {one.shape} with {other.shape}.")
        return float(np.mean(np.square(one - other)))
