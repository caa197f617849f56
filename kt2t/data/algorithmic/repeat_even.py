"""Repeating every other symbol."""

from __future__ import annotations

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class RepeatEven(Algorithmic):
    """The target is the symbols at the even positions, counted from 0, each twice: 3 1 4 1 5 → 3 3 4 4 5 5.

    Options are those of `Algorithmic`.

    Shapes:
        n symbols → n symbols, or n + 1 for odd n

    Source: a task of this name in talks on Tensor2Tensor, 2018, which do not define it: the definition is ours.
    """

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return repeat_even(inputs)


def repeat_even(inputs: np.ndarray) -> np.ndarray:
    """Returns the elements at even positions, each twice."""
    return np.repeat(inputs[::2], 2)
