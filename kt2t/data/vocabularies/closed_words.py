"""A closed vocabulary of words, as for the Penn Treebank and WikiText."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kt2t.data.vocabularies.unicode_text import checked, fault
from kt2t.data.vocabularies.vocabulary import tally
from kt2t.data.vocabularies.word_list import WordList
from kt2t.errors import DataError
from kt2t.features import END
from kt2t.registry import register

UNKNOWN, LINE_END = END + 1, END + 2
FIRST = LINE_END + 1
_WORDS = re.compile(r"\n|[^\s]+")


@register
class ClosedWords(WordList):
    """Gives each known word one id, all unknown words one id, and the end of a line one id.

    Words are separated by white space. Decoding puts one space between words, so the original spaces and unknown words
    are lost. Compare the metrics of two models only if both use the same word list. If text must survive decoding, use
    `Words`.

    Ids: 0 padding, 1 end, 2 any unknown word, 3 the end of a line (elsewhere `<eos>`), from 4 on the words, most frequent
    first.

    Shapes:
        text of n words and m line ends → n + m ids

    Args:
        size: Maximum number of ids; None for all words.
        least_count: Words that occur less often in the training text are unknown.
        unknown: Text that an unknown word decodes to. If the training text contains it, it has the id of unknown words.

    Raises:
        ValueError: A number leaves no room for words, or `unknown` is not one word.

    Source: Mikolov et al. 2010 (the Penn Treebank's 10,000 words); Merity et al. 2017 (WikiText).
    """

    lossless = False
    file = "closed_words.txt"
    first = FIRST

    def __init__(self, size: int | None = None, least_count: int = 1, unknown: str = "<unk>") -> None:
        if size is not None and size <= FIRST:
            raise ValueError(f"size: {size} leaves no room for words beside {FIRST} reserved ids. Use a larger size.")
        if least_count < 1:
            raise ValueError(f"least_count: {least_count} is not positive.")
        if not unknown or unknown.split() != [unknown]:
            raise ValueError(f"unknown: {unknown!r} is not one word. A word is not empty and has no space in it.")
        if reason := fault(unknown):
            raise ValueError(f"unknown: {reason}")
        self.requested_size = size or 10_000
        self._most = size
        self.least_count = least_count
        self.unknown = unknown
        self._take([])

    def train(self, texts: Iterable[str]) -> None:
        counts = tally(texts, str.split, "ClosedWords")
        words = [word for word, count in counts.items() if count >= self.least_count and word != self.unknown]
        if not words:
            raise DataError(f"no word occurs {self.least_count} times in the training texts. Lower least_count.")
        self._take(words[: self._most and self._most - FIRST])

    def encode(self, text: str) -> list[int]:
        self.require_training()
        known = self._ids
        return [known.get(word, UNKNOWN) for word in _WORDS.findall(checked(text))]

    def decode_ids(self, ids: list[int]) -> str:
        self.require_training()
        shown = {UNKNOWN: self.unknown, LINE_END: "\n"}
        text = " ".join(shown.get(number) or self._words[number - FIRST] for number in ids)
        return text.replace(" \n", "\n").replace("\n ", "\n")

    def _take(self, words: list[str]) -> None:
        super()._take(words)
        self._ids["\n"] = LINE_END
