"""A vocabulary of small integers, for problems that compute their examples."""

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
    """Encodes the integers from 0 to `count` - 1: n is id n + 2. As text they are decimals separated by spaces.

    Shapes:
        "7 0 12" → 3 ids

    Args:
        count: Number of symbols.

    Raises:
        ValueError: `count` is not positive, or more than ids can count.

    Source: Tensor2Tensor's algorithmic problems. Departs: a separator has an id too.
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
        """Encodes integers, given as text or as numbers.

        Raises:
            DataError: A symbol is not an integer from 0 to below `count`.
        """
        try:
            numbers = [int(part) for part in (text.split() if isinstance(text, str) else text)]
        except ValueError:
            raise DataError(f"{text!r} is not a list of whole numbers separated by spaces.") from None
        if numbers and not (0 <= min(numbers) and max(numbers) < self.count):
            raise DataError(f"{min(numbers)} to {max(numbers)}: symbols are from 0 to {self.count - 1}.")
        return [number + OFFSET for number in numbers]

    def decode_ids(self, ids: list[int]) -> str:
        return " ".join(str(number - OFFSET) for number in ids)

    def numbers(self, ids: Iterable[int]) -> np.ndarray:
        """Decodes ids up to the first end to symbols, int64."""
        return np.array([int(part) for part in self.decode(ids).split()], np.int64)
