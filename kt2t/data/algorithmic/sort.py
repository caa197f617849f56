"""Sorting a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class Sort(Algorithmic):
    """The target is the input in ascending order, with repetitions. Options are those of `Algorithmic`.

    Shapes:
        n symbols → n symbols

    Raises:
        ValueError: A number is not positive.

    Source: Tensor2Tensor, `sort_problem`. Departs: `long` has only longer inputs.
    """

    def __init__(
        self,
        symbols: int = 20,
        max_length: int = 10,
        evaluation_length: int = 20,
        train_examples: int = 100_000,
        validation_examples: int = 10_000,
        seed: int = 0,
        loss: Any = None,
        curriculum: Any = None,
    ) -> None:
        super().__init__(
            symbols, max_length, evaluation_length, train_examples, validation_examples, seed, loss, curriculum
        )

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return np.sort(inputs)
