"""The share of predictions that are entirely right."""

from __future__ import annotations

from typing import Any

from kt2t.registry import register
from kt2t.scores.score import Score, are_equal


@register
class ExactMatch(Score):
    """The share of predictions equal to their reference, or to one of their references, from 0 to 1.

    Every character of a text, tag of a list or number of an array must be equal.

    Shapes:
        n predictions, n references (or lists of references) → {"exact_match": share}

    Args:
        strip: Whether spaces around a text are left out of the comparison.

    Source: none.
    """

    name = "exact_match"

    def __init__(self, strip: bool = False) -> None:
        self.strip = strip

    def compute(self, predictions: list[Any], references: list[list[Any]]) -> dict[str, float]:
        right = sum(
            any(are_equal(self._compared(prediction), self._compared(one)) for one in several)
            for prediction, several in zip(predictions, references, strict=True)
        )
        return {self.name: right / len(predictions)}

    @property
    def signature(self) -> str:
        return f"{self.name}|strip:" + ("yes" if self.strip else "no")

    def _compared(self, value: Any) -> Any:
        return value.strip() if self.strip and isinstance(value, str) else value
