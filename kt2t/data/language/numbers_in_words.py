"""Converts English number words to digits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kt2t.data.blocks import BLOCK, PARTS, chance_of, first_kept, from_blocks, is_in_split
from kt2t.data.text_to_text import TextToText
from kt2t.data.vocabularies.characters import Characters
from kt2t.data.vocabularies.words import Words
from kt2t.errors import DataError
from kt2t.registry import register

ALWAYS_TRAINED = 100
ONES = (
    "zero one two three four five six seven eight nine ten "
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


@register
class NumbersInWords(TextToText):
    """Converts English number words to digits: "four hundred and seven" → "407".

    The words have the British form, with "and" before the last two digits, or the American form, without. `train` and
    `validation` share no number. A hash assigns one in ten of the numbers from 100 on to `validation`; all smaller numbers
    are in `train`, because some of their words occur in no other number. Half of the examples are drawn uniformly from all
    numbers. For the other half the number of digits is drawn first, so that small numbers are frequent enough.

    Shapes:
        n words → up to 6 digits

    Args:
        largest: The largest number, at most 999,999.
        british: Share of the numbers in the British form.
        train_examples: Number of examples in `train`.
        validation_examples: Number of examples in `validation`.
        seed: Seed for drawing the examples.
        source_vocabulary: Vocabulary of the number words. Default: one id per word.
        target_vocabulary: Vocabulary of the digits. Default: one id per digit.
        loss: See `Problem`.
        max_length: See `Problem`.

    Raises:
        ValueError: A number is out of its range.

    Source: none; the examples are computed.
    """

    def __init__(
        self,
        largest: int = 999_999,
        british: float = 0.5,
        train_examples: int = 100_000,
        validation_examples: int = 2_000,
        seed: int = 0,
        source_vocabulary: Any = None,
        target_vocabulary: Any = None,
        loss: Any = None,
        max_length: int | None = None,
    ) -> None:
        if not 999 <= largest <= 999_999:
            raise ValueError(f"largest: {largest} is not between 999 and 999,999.")
        if not 0 <= british <= 1:
            raise ValueError(f"british: {british} is not a share. Give a number from 0 to 1.")
        for option, value in {"train_examples": train_examples, "validation_examples": validation_examples}.items():
            if value < 1:
                raise ValueError(f"{option}: {value} is not positive.")
        if seed < 0:
            raise ValueError(f"seed: {seed} is negative.")
        super().__init__(
            source_vocabulary=Words(words=all_words()) if source_vocabulary is None else source_vocabulary,
            target_vocabulary=Characters("0123456789") if target_vocabulary is None else target_vocabulary,
            loss=loss,
            max_length=max_length,
        )
        self.largest = largest
        self.british = british
        self.counts = {"train": train_examples, "validation": validation_examples}
        self.seed = seed

    def examples(self, split: str, start: int = 0, stop: int | None = None) -> Iterator[dict[str, str]]:
        """Yields the examples `start` to `stop` - 1 of a split. They do not depend on earlier examples.

        Raises:
            DataError: The split does not exist.
        """
        if split not in self.counts:
            raise DataError(f"NumbersInWords has no split {split!r}. There are {', '.join(self.counts)}.")
        stop = self.counts[split] if stop is None else min(stop, self.counts[split])
        for number in from_blocks(lambda block: self._numbers(split, block), start, stop):
            yield {"inputs": words(number, self._share(number, "and") < self.british), "targets": str(number)}

    def _numbers(self, split: str, block: int) -> list[int]:
        chance = chance_of(self.seed, split, block)

        def draw() -> list[int]:
            limits = 10 ** chance.integers(1, len(str(self.largest)) + 1, BLOCK)
            limits[::2] = self.largest + 1
            found: list[int] = chance.integers(0, np.minimum(limits, self.largest + 1)).tolist()
            return found

        return first_kept(draw, lambda number: self._belongs(number, split))

    def _belongs(self, number: int, split: str) -> bool:
        if number < ALWAYS_TRAINED:
            return split == "train"
        return is_in_split(int(self._share(number, "split") * PARTS), split)

    def _share(self, number: int, purpose: str) -> float:
        return zlib.crc32(f"{purpose} {number}".encode()) / 2**32


def words(number: int, british: bool = True) -> str:
    """Writes a number from 0 to 999,999 in English words, with "and" before the last two digits if `british`."""
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest, british)
    parts = [_below_thousand(thousands, british), "thousand"]
    if rest:
        parts += ["and"] if british and rest < 100 else []
        parts.append(_below_thousand(rest, british))
    return " ".join(parts)


def all_words() -> list[str]:
    """Returns every word that `words` uses."""
    return [*(_below_thousand(number, False) for number in range(100)), "hundred", "thousand", "and"]


def _below_thousand(number: int, british: bool) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return ONES[rest] if rest < 20 else "-".join(_tens(rest))
    parts = [ONES[hundreds], "hundred"]
    if rest:
        parts += ["and"] if british else []
        parts.append(_below_thousand(rest, british))
    return " ".join(parts)


def _tens(number: int) -> Iterable[str]:
    tens, one = divmod(number, 10)
    return [TENS[tens - 2], ONES[one]] if one else [TENS[tens - 2]]
