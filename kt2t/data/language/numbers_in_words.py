"""Converts English number words to digits."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
SPELT = {"a": "one", "an": "one", "fourty": "forty", "ninty": "ninety", "nought": "zero", "hundreds": "hundred"}


@register
class NumbersInWords(TextToText):
    """Converts English number words to digits: "four hundred and seven" → "407".

    The words have the British form, with "and" before the last two digits, or the American form, without. `train` and
    `validation` share no number. A hash assigns one in ten of the numbers from 100 on to `validation`; all smaller numbers
    are in `train`, because some of their words occur in no other number. The number of digits is drawn first, so that short
    numbers are as frequent as long ones. One number in four is round ("seven thousand").

    Inputs may have capitals, commas, missing hyphens and common misspellings; `normalized` says how they are read.

    Shapes:
        n words → up to 6 digits

    Args:
        largest: The largest number, at most 999,999.
        british: Share of the numbers in the British form.
        spellings: Share of the numbers in another spelling: in capitals, without hyphens, "a hundred".
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
        spellings: float = 0.5,
    ) -> None:
        if not 999 <= largest <= 999_999:
            raise ValueError(f"largest: {largest} is not between 999 and 999,999.")
        if not 0 <= british <= 1:
            raise ValueError(f"british: {british} is no share. Give a number from 0 to 1.")
        if not 0 <= spellings <= 1:
            raise ValueError(f"spellings: {spellings} is no share. Give a number from 0 to 1.")
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
        self.spellings = spellings
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
            told = words(number, self._share(number, "and") < self.british)
            if self._share(number, "spelling") < self.spellings:
                told = respelled(told, int(self._share(number, "which") * len(RESPELLINGS)))
            yield {"inputs": told, "targets": str(number)}

    def encode_all(self, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, np.ndarray]]:
        known = [{**one, "inputs": normalized(one["inputs"])} if "inputs" in one else one for one in examples]
        return super().encode_all(known)

    def _numbers(self, split: str, block: int) -> list[int]:
        chance = chance_of(self.seed, split, block)

        def draw() -> list[int]:
            digits = chance.integers(1, len(str(self.largest)) + 1, BLOCK)
            found = chance.integers(0, np.minimum(10**digits, self.largest + 1))
            unit = 10 ** chance.integers(0, digits)  # of the last digit that is kept
            found[::4] -= found[::4] % unit[::4]
            numbers: list[int] = found.tolist()
            return numbers

        return first_kept(draw, lambda number: self._belongs(number, split))

    def _belongs(self, number: int, split: str) -> bool:
        if number < ALWAYS_TRAINED:
            return split == "train"
        return is_in_split(int(zlib.crc32(f"split {number}".encode()) / 2**32 * PARTS), split)

    def _share(self, number: int, purpose: str) -> float:
        # Not crc32: its values for two purposes of one number differ by a constant (under XOR), so they are not independent.
        digest = hashlib.blake2b(f"{purpose} {number}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**32


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


RESPELLINGS: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.capitalize,
    lambda told: told.replace("-", " "),
    lambda told: told.title().replace("-", " "),
    lambda told: re.sub(r"^one (?=hundred|thousand)", "a ", told),
    lambda told: re.sub(r" thousand (?!and )", " thousand, ", told),
)


def respelled(told: str, which: int) -> str:
    """Rewrites a number in words in the spelling with this index in `RESPELLINGS`."""
    return RESPELLINGS[which](told)


def normalized(told: str) -> str:
    """Rewrites number words in the spelling that `words` uses.

    Case, punctuation and hyphens do not matter: "Forty two" becomes "forty-two". "a hundred" and "hundred" become "one
    hundred". "fourty" and "ninty" are corrected. Other words stay as they are.
    """
    parts = [SPELT.get(part, part) for part in re.sub(r"[-‐‑–,.!?]", " ", told.lower()).split()]
    found: list[str] = []
    for part in parts:
        before = found[-1] if found else ""
        if part in ("hundred", "thousand") and before in ("", "thousand", "and"):
            found.append("one")
        if part in ONES[1:10] and before in TENS:
            found[-1] = f"{before}-{part}"
        else:
            found.append(part)
    return " ".join(found)


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
