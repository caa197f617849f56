"""The base class of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np


class Score:
    """Compares decoded values (texts, names of classes, lists of tags, numbers) with references.

    A reference is a value like its prediction, or a list of such values if several answers are right. A subclass has
    `name`, under which recipes find it in `report.best`, and `compute`.
    """

    name: ClassVar[str]

    def score(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
        """Scores predictions against references and returns a dict of scores by name.

        Raises:
            ValueError: There are no predictions, or not as many as references, or a prediction has no reference.
        """
        if not len(predictions) or len(predictions) != len(references):
            raise ValueError(
                f"{self.name} compares {len(predictions)} predictions with {len(references)} references. "
                "Give one reference, or list of references, for each of at least one prediction."
            )
        pairs = zip(predictions, references, strict=True)
        several = [list(right) if _are_several(found, right) else [right] for found, right in pairs]
        if not all(several):
            raise ValueError(f"{self.name}: prediction {several.index([])} has no reference. Give at least one.")
        return self.compute(list(predictions), several)

    __call__ = score

    def compute(self, predictions: list[Any], references: list[list[Any]]) -> dict[str, float]:
        """Computes the scores by name for at least one prediction, each with a list of references."""
        raise NotImplementedError

    @property
    def signature(self) -> str:
        """Describes the settings that others need to reproduce the value."""
        raise NotImplementedError


def _are_several(prediction: Any, reference: Any) -> bool:
    """Returns True if a reference is a list of references: a list nested deeper than the prediction."""
    return isinstance(reference, list | tuple) and _depth(reference) > _depth(prediction)


def _depth(value: Any) -> int:
    if isinstance(value, list | tuple):
        return 1 + (_depth(value[0]) if len(value) else 0)
    return value.ndim if isinstance(value, np.ndarray) else 0


def are_equal(one: Any, other: Any) -> bool:
    """Returns True if two values are equal: texts, numbers, or lists and arrays, compared element by element."""
    if isinstance(one, str) or isinstance(other, str):
        return bool(isinstance(one, str) and isinstance(other, str) and one == other)
    if any(isinstance(value, list | tuple | np.ndarray) for value in (one, other)):
        return np.shape(one) == np.shape(other) and bool(np.array_equal(np.asarray(one), np.asarray(other)))
    return bool(one == other)
