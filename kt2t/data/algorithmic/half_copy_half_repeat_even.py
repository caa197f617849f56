"""A problem with two right answers to each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.data.algorithmic.repeat_even import repeat_even
from kt2t.registry import register


@register
class HalfCopyHalfRepeatEven(Algorithmic):
    """A problem with two right answers: at random, the target is a copy of the input or the target of `RepeatEven`.

    The input does not show which, so a model that decodes well gives one of the two answers and no mixture. `score`
    accepts both answers; `copies` and `repeats` are the share of each. Options are those of `Algorithmic`.

    Shapes:
        n symbols → n symbols, or n + 1 for odd n

    Source: a task of this kind in talks on Tensor2Tensor, 2018; the definition is ours.
    """

    derived_metric_names = ("accepted", "copies", "repeats")

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return inputs if chance.random() < 0.5 else repeat_even(inputs)

    def accepts(
        self, inputs: str | Sequence[int], prediction: str | Sequence[int]
    ) -> Literal["copy", "repeat_even", "both"] | None:
        """Says which of the two answers a prediction is; None if neither. Takes symbols, or text from `decode`."""
        source, predicted = _symbols(inputs), _symbols(prediction)
        if source is None or predicted is None:
            return None
        copied, repeated = predicted == source, predicted == repeat_even(np.array(source)).tolist()
        if copied and repeated:
            return "both"
        return "copy" if copied else "repeat_even" if repeated else None

    def score(self, predictions: Sequence[str], references: Sequence[Any]) -> dict[str, float]:
        """Scores predictions like every problem. If the references have inputs, adds the shares of accepted answers.

        Raises:
            ValueError: The numbers of predictions and references differ.
        """
        results = super().score(predictions, references)
        if not all(isinstance(reference, Mapping) and "inputs" in reference for reference in references):
            return results
        kinds = [self.accepts(line["inputs"], text) for line, text in zip(references, predictions, strict=True)]
        shares = {
            "accepted": sum(kind is not None for kind in kinds),
            "copies": sum(kind in ("copy", "both") for kind in kinds),
            "repeats": sum(kind in ("repeat_even", "both") for kind in kinds),
        }
        return {**results, **{name: count / len(kinds) for name, count in shares.items()}}


def _symbols(row: str | Sequence[int]) -> list[int] | None:
    try:
        return [int(symbol) for symbol in (row.split() if isinstance(row, str) else row)]
    except ValueError:
        return None
