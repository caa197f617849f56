"""Every other symbol, twice."""

from __future__ import annotations

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class RepeatEven(Algorithmic):
    """The target is the symbols at the even positions, counted from 0, each said twice: 3 1 4 1 5 → 3 3 4 4 5 5.

    Options are those of `Algorithmic`.

    Shapes:
        n symbols → n symbols, n + 1 where n is odd

    Source: a task of this name in talks on Tensor2Tensor, 2018, which do not define it: the definition is ours.
    """

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return repeat_even(inputs)


def repeat_even(inputs: np.ndarray) -> np.ndarray:
    """The elements at even positions, each twice."""
    return np.repeat(inputs[::2], 2)
