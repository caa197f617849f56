"""Adding the same number to every symbol."""

from __future__ import annotations

from typing import Any

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic
from kt2t.registry import register


@register
class Shift(Algorithmic):
    """The target is the input with `shift` added to each symbol. The other options are those of `Algorithmic`.

    Shapes:
        n symbols → n symbols

    Args:
        symbols: Number of different symbols in inputs. Targets have `shift` more.
        shift: The number that is added.

    Raises:
        ValueError: `shift` is negative, or another number is not positive.

    Source: Tensor2Tensor, `algorithmic_shift_decimal40`. Departs: `long` has only longer inputs.
    """

    def __init__(
        self,
        symbols: int = 10,
        shift: int = 10,
        max_length: int = 40,
        evaluation_length: int = 400,
        train_examples: int = 100_000,
        validation_examples: int = 10_000,
        seed: int = 0,
        loss: Any = None,
        curriculum: Any = None,
    ) -> None:
        if shift < 0:
            raise ValueError(f"shift: {shift} is negative.")
        self.shift = shift
        super().__init__(
            symbols, max_length, evaluation_length, train_examples, validation_examples, seed, loss, curriculum
        )

    def vocabulary_symbols(self) -> int:
        return self.symbols + self.shift

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        return inputs + self.shift
