"""Accuracy of predicted tags."""

from __future__ import annotations

from typing import Any

from kt2t.registry import register
from kt2t.scores.score import Score


@register
class TagAccuracy(Score):
    """The share of tags of all examples that are right, from 0 to 1.

    Tags are compared position by position. A position that only the prediction or only the reference has counts as
    wrong. Of several references only the first is used.

    Shapes:
        n lists of tags, n references (or lists of references) → {"tag_accuracy": share}

    Source: none.
    """

    name = "tag_accuracy"

    def compute(self, predictions: list[Any], references: list[list[Any]]) -> dict[str, float]:
        pairs = [(list(found), list(several[0])) for found, several in zip(predictions, references, strict=True)]
        right = sum(one == other for found, tags in pairs for one, other in zip(found, tags, strict=False))
        places = sum(max(len(found), len(tags)) for found, tags in pairs)
        return {self.name: right / places if places else 0.0}

    @property
    def signature(self) -> str:
        return "tag_accuracy"
