"""F1 of sets of labels."""

from __future__ import annotations

from typing import Any

from kt2t.registry import register
from kt2t.scores.score import Score


@register
class LabelF1(Score):
    """F1 of the labels of all examples, from 0 to 1.

        F1 = 2 Σ |predicted ∩ right| / (Σ |predicted| + Σ |right|)

    Every label of every example counts the same (micro average); the order of labels does not matter. Without any label,
    in predictions and references, F1 is 0. Of several references only the first is used.

    Shapes:
        n lists of labels, n references (or lists of references) → {"f1": value}

    Source: van Rijsbergen 1979, chapter 7.
    """

    name = "f1"

    def compute(self, predictions: list[Any], references: list[list[Any]]) -> dict[str, float]:
        pairs = [(set(found), set(several[0])) for found, several in zip(predictions, references, strict=True)]
        hits = sum(len(found & right) for found, right in pairs)
        total = sum(len(found) + len(right) for found, right in pairs)
        return {self.name: 2 * hits / total if total else 0.0}

    @property
    def signature(self) -> str:
        return "f1|average:micro"
