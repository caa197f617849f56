"""Reversing a sequence of symbols with the frequencies of words (Zipf)."""

from __future__ import annotations

from typing import Any

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class ReverseZipf(Algorithmic):
    """The target is the reversed input. Frequencies of symbols and lengths of inputs resemble those of a language.

        P(symbol k) ∝ (k + 1)^-alpha,  length = 1 + |N(longest / 2, longest / 10)|

    The other options are those of `Algorithmic`. Tensor2Tensor has 8,000 symbols with alpha 1.3, and 32,000 with 1.05.

    Shapes:
        n symbols → n symbols

    Args:
        alpha: Exponent of the frequencies.

    Raises:
        ValueError: `alpha` or another number is not positive.

    Source: Tensor2Tensor, `algorithmic_reverse_nlplike8k` and `_nlplike32k`. Departs: the rarest symbol is inside the
    vocabulary; lengths are clipped to the allowed range.
    """

    def __init__(
        self,
        symbols: int = 8000,
        alpha: float = 1.3,
        max_length: int = 70,
        evaluation_length: int = 70,
        train_examples: int = 100_000,
        validation_examples: int = 10_000,
        seed: int = 0,
        loss: Any = None,
        curriculum: Any = None,
    ) -> None:
        if alpha <= 0:
            raise ValueError(f"alpha: {alpha} is not positive.")
        super().__init__(
            symbols, max_length, evaluation_length, train_examples, validation_examples, seed, loss, curriculum
        )
        self.alpha = alpha
        weights = np.arange(1, symbols + 1) ** -float(alpha)
        self._cumulative = np.cumsum(weights) / weights.sum()

    def draw(self, chance: np.random.Generator, count: int, shortest: int, longest: int) -> list[np.ndarray]:
        lengths = 1 + np.abs(chance.normal(longest / 2, longest / 10, count))
        lengths = np.clip(lengths.astype(np.int64), shortest, longest)
        places = np.searchsorted(self._cumulative[:-1], chance.random(int(lengths.sum())), side="right")
        return np.split(places, np.cumsum(lengths)[:-1])

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return inputs[::-1]
