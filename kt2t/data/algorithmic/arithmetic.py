"""The base class of arithmetic problems on two numbers, written with the lowest digit first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kt2t.data.algorithmic.algorithmic import Algorithmic


class Arithmetic(Algorithmic):
    """Base class of `Addition` and `Multiplication`. All numbers are written with the lowest digit first.

    The input is the digits of a, the separator (the symbol `base`), and the digits of b. a takes up to half of the
    maximum length, b the rest. The highest digit is zero only in numbers of one digit.

    Args:
        base: The base of the digits.
        max_length: Maximum length of inputs in `train` and `validation`, in symbols; at least 3.
        evaluation_length: Maximum length of inputs in `long`, in symbols.
        train_examples: Number of examples in `train`.
        validation_examples: Number of examples in `validation`, and in `long`.
        seed: Seed for drawing the examples.
        loss: The loss, or its node. Default: cross-entropy.
        curriculum: See `Algorithmic`.

    Raises:
        ValueError: `base` is below 2, `max_length` below 3, or another number is not positive.
    """

    shortest_input = 3  # two digits and a separator

    def __init__(
        self,
        base: int = 10,
        max_length: int = 40,
        evaluation_length: int = 400,
        train_examples: int = 100_000,
        validation_examples: int = 10_000,
        seed: int = 0,
        loss: Any = None,
        curriculum: Any = None,
    ) -> None:
        if base < 2:
            raise ValueError(f"base: {base} is not a base for digits. Use at least 2.")
        if max_length < 3:
            raise ValueError(f"max_length: {max_length} leaves no room for two digits and a separator. Use at least 3.")
        super().__init__(
            base, max_length, evaluation_length, train_examples, validation_examples, seed, loss, curriculum
        )
        self.base = base

    def combine(self, first: int, second: int) -> int:
        """Computes the result from the two numbers."""
        raise NotImplementedError

    def vocabulary_symbols(self) -> int:
        return self.symbols + 1

    def draw(self, chance: np.random.Generator, count: int, shortest: int, longest: int) -> list[np.ndarray]:
        first = chance.integers(1, longest // 2 + 1, count)
        second = chance.integers(np.maximum(shortest - first - 1, 1), longest - first)
        rows = chance.integers(0, self.symbols, (count, longest))
        tops = chance.integers(1, self.symbols, (count, 2))
        inputs = []
        for row, a, b, top in zip(rows, first.tolist(), second.tolist(), tops, strict=True):
            if a > 1:
                row[a - 1] = top[0]
            if b > 1:
                row[a + b] = top[1]
            row[a] = self.symbols
            inputs.append(row[: a + 1 + b])
        return inputs

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        symbols = inputs.tolist()
        middle = symbols.index(self.base)
        return np.array(
            digits(
                self.combine(number(symbols[:middle], self.base), number(symbols[middle + 1 :], self.base)), self.base
            ),
            np.int64,
        )


def number(little_endian: Iterable[int], base: int) -> int:
    """Converts digits, lowest first, to a number."""
    value = 0
    for digit in reversed(list(little_endian)):
        value = value * base + digit
    return value


def digits(value: int, base: int) -> list[int]:
    """Converts a number that is not negative to digits, lowest first. Zero has one digit."""
    found = []
    while value:
        value, digit = divmod(value, base)
        found.append(digit)
    return found or [0]
