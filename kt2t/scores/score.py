"""What a score is: predictions and references in, named figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class Score:
    """Compares decoded texts with references.

    A reference is a text, or a list of texts any of which may serve as reference for its prediction. A subclass has
    `name`, the figure that recipes name in `report.best`, and `compute`.
    """

    name: ClassVar[str]

    def score(self, predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> dict[str, float]:
        """The figures by name.

        Raises:
            ValueError: There are no predictions, or not as many as references, or a prediction has no reference.
        """
        if not predictions or len(predictions) != len(references):
            raise ValueError(
                f"{self.name} compares {len(predictions)} predictions with {len(references)} references. "
                "Give one reference, or list of references, for each of at least one prediction."
            )
        several = [[reference] if isinstance(reference, str) else list(reference) for reference in references]
        if not all(several):
            raise ValueError(f"{self.name}: prediction {several.index([])} has no reference. Give at least one.")
        return self.compute(list(predictions), several)

    __call__ = score

    def compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        """The figures by name, for at least one prediction, each with a list of references."""
        raise NotImplementedError

    @property
    def signature(self) -> str:
        """What another must know to get the same figure."""
        raise NotImplementedError
