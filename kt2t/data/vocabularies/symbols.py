"""Sequences of small whole numbers, for computed problems."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kt2t.data.vocabularies.vocabulary import LARGEST, Vocabulary
from kt2t.errors import DataError
from kt2t.features import END
from kt2t.registry import register

OFFSET = END + 1


@register
class Symbols(Vocabulary):
    """The numbers from 0 to `count` - 1, number n being id n + 2; as text they stand in decimals with spaces between.

    Shapes:
        "7 0 12" → 3 ids

    Args:
        count: How many symbols there are.

    Raises:
        ValueError: `count` is not positive, or more than ids can count.

    Source: as the algorithmic problems of Tensor2Tensor. Departs: every symbol has an id, a separator too.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"count: {count} is not positive.")
        if count > LARGEST - OFFSET:
            raise ValueError(f"count: {count} is more than ids can count. Take at most {LARGEST - OFFSET:,}.")
        self.count = count

    @property
    def size(self) -> int:
        return OFFSET + self.count

    def encode(self, text: str | Iterable[int]) -> list[int]:
        """The ids of numbers, given as text or as they are.

        Raises:
            DataError: A symbol is no whole number below `count`.
        """
        try:
            numbers = [int(part) for part in (text.split() if isinstance(text, str) else text)]
        except ValueError:
            raise DataError(f"{text!r} is not a row of whole numbers with spaces between.") from None
        if numbers and not (0 <= min(numbers) and max(numbers) < self.count):
            raise DataError(f"{min(numbers)} to {max(numbers)}: symbols are from 0 to {self.count - 1}.")
        return [number + OFFSET for number in numbers]

    def decode_ids(self, ids: list[int]) -> str:
        return " ".join(str(number - OFFSET) for number in ids)

    def numbers(self, ids: Iterable[int]) -> np.ndarray:
        """The symbols of ids up to the first end, int64."""
        return np.array([int(part) for part in self.decode(ids).split()], np.int64)
