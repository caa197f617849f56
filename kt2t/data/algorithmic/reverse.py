"""Reversing a sequence."""

from __future__ import annotations

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class Reverse(Algorithmic):
    """The target is the reversed input. Options are those of `Algorithmic`; Tensor2Tensor has 2 or 10 symbols.

    Shapes:
        n symbols → n symbols

    Source: Tensor2Tensor, `algorithmic_reverse_binary40` and `_decimal40`. Departs: `long` has only longer inputs.
    """

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return inputs[::-1]
