"""Accuracy of predicted classes."""

from __future__ import annotations

from typing import Any

from kt2t.registry import register
from kt2t.scores.score import Score, are_equal


@register
class Accuracy(Score):
    """The share of examples whose predicted class is the right one, or one of the right ones, from 0 to 1.

    Shapes:
        n classes, n references (or lists of references) → {"accuracy": share}

    Source: none.
    """

    name = "accuracy"

    def compute(self, predictions: list[Any], references: list[list[Any]]) -> dict[str, float]:
        pairs = zip(predictions, references, strict=True)
        right = sum(any(are_equal(found, one) for one in several) for found, several in pairs)
        return {self.name: right / len(predictions)}

    @property
    def signature(self) -> str:
        return "accuracy"
