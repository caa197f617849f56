"""The share of predictions that are right to the last character."""

from __future__ import annotations

from kt2t.registry import register
from kt2t.scores.score import Score


@register
class ExactMatch(Score):
    """The share of predictions equal to their reference, or to one of their references, from 0 to 1.

    Shapes:
        n predictions, n references (or lists of references) → {"exact_match": share}

    Args:
        strip: Whether spaces around a text are left out of the comparison.

    Source: none.
    """

    name = "exact_match"

    def __init__(self, strip: bool = False) -> None:
        self.strip = strip

    def compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        right = sum(
            self._compared(prediction) in map(self._compared, several)
            for prediction, several in zip(predictions, references, strict=True)
        )
        return {self.name: right / len(predictions)}

    @property
    def signature(self) -> str:
        return "exact_match|strip:" + ("yes" if self.strip else "no")

    def _compared(self, text: str) -> str:
        return text.strip() if self.strip else text
