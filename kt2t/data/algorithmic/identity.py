"""Saying the same again."""

from __future__ import annotations

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class Identity(Algorithmic):
    """The target is the input. Options are those of `Algorithmic`; 2 or 10 symbols upstream.

    Shapes:
        n symbols → n symbols

    Source: Tensor2Tensor, `algorithmic_identity_binary40` and `_decimal40`. Departs: `long` has longer inputs only.
    """

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return inputs
