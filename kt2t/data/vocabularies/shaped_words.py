"""A vocabulary of words in which an unknown word has the id of its look: its shape and ending."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from kt2t.data.vocabularies.vocabulary import Vocabulary, tally
from kt2t.features import END
from kt2t.options import positive
from kt2t.registry import register

SHAPES = ("lower", "capital", "upper", "mixed", "number", "digits", "symbols")
FIRST = END + 1
LONGEST_ENDING = 3
WORDS, LOOKS = "words.txt", "looks.txt"


@register
class ShapedWords(Vocabulary):
    """Gives each known word one id, and each look of unknown words one id: their shape and their ending.

    Words are separated by single spaces. Each word is one position, so that each can have a tag. A word that is rare in the
    training texts is unknown. Its look is its shape (`lower`, `capital`, `upper`, `mixed`, `number`, `digits`,
    `symbols`) with the longest ending, of up to three letters, that enough rare training words of this shape have:
    `frobnicating` is `<lower -ing>`. So the model learns from rare words how to treat unseen words of the same look.

    The ids: 0 padding, 1 end, from 2 on the looks, then the words, the most frequent first. Decoding writes an unknown
    word as its look.

    Shapes:
        text of n words → n ids

    Args:
        size: The largest number of ids; the least frequent words are left out.
        least_count: Words that occur less often in the training texts are unknown.
        least_look: An ending makes a look of its own if at least this number of different rare words have it.

    Raises:
        ValueError: A number is not positive.

    Source: the signatures of unknown words of the Berkeley parser (Petrov et al. 2006), with learnt endings.
    """

    lossless = False

    def __init__(self, size: int = 32_768, least_count: int = 2, least_look: int = 5) -> None:
        self.requested_size = positive("size", size)
        self.least_count = positive("least_count", least_count)
        self.least_look = positive("least_look", least_look)
        self._take([], [])

    @property
    def trained(self) -> bool:  # type: ignore[override]
        return bool(self._looks)

    @property
    def size(self) -> int:
        self.require_training()
        return FIRST + len(self._looks) + len(self._words)

    def train(self, texts: Iterable[str]) -> None:
        counts = tally(texts, _split, "ShapedWords")
        rare: Counter[tuple[str, str]] = Counter()
        for word, count in counts.items():
            if count < self.least_count:
                rare.update((shape_of(word), ending) for ending in _endings(word))
        learnt = sorted(look for look, count in rare.items() if count >= self.least_look)
        looks = [*((shape, "") for shape in SHAPES), *learnt]
        words = [word for word, count in counts.items() if count >= self.least_count]
        self._take(words[: max(0, self.requested_size - FIRST - len(looks))], looks)

    def encode(self, text: str) -> list[int]:
        self.require_training()
        known = self._ids
        return [known[word] if word in known else self.look(word) for word in _split(text)]

    def look(self, word: str) -> int:
        """Returns the id of a word's look, also for a known word."""
        shape = shape_of(word)
        for ending in _endings(word):
            if (shape, ending) in self._looks:
                return FIRST + self._looks[shape, ending]
        return FIRST + self._looks[shape, ""]

    @functools.cached_property
    def looks_of_ids(self) -> np.ndarray:
        """Maps each id to the id of its look: a known word to the word's look, any other id to itself.

        Shapes:
            → (size,) int32
        """
        words = [self.look(word) for word in self._words]
        return np.concatenate([np.arange(self.size - len(words)), words]).astype(np.int32)

    def decode_ids(self, ids: list[int]) -> str:
        self.require_training()
        first = FIRST + len(self._looks)
        looks = list(self._looks)
        return " ".join(
            self._words[one - first] if one >= first else f"<{' -'.join(filter(None, looks[one - FIRST]))}>"
            for one in ids
        )

    def contents(self) -> dict[str, bytes]:
        looks = "\n".join("\t".join(look) for look in self._looks)
        return {WORDS: "\n".join(self._words).encode(), LOOKS: looks.encode()}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        words = contents[WORDS].decode()
        looks = [line.partition("\t") for line in contents[LOOKS].decode().split("\n")]
        self._take(words.split("\n") if words else [], [(shape, ending) for shape, _, ending in looks])

    def _take(self, words: list[str], looks: list[tuple[str, str]]) -> None:
        self._words = words
        self._looks = {look: number for number, look in enumerate(looks)}
        first = FIRST + len(looks)
        self._ids = {word: first + place for place, word in enumerate(words)}
        self.__dict__.pop("looks_of_ids", None)


def shape_of(word: str) -> str:
    """Returns the shape of a word, one of `SHAPES`, from its letters and digits.

    `number` is digits with punctuation (`3.14`), `digits` is digits with letters (`4th`), `symbols` has neither.
    """
    has_letters = any(one.isalpha() for one in word)
    if any(one.isdigit() for one in word):
        return "digits" if has_letters else "number"
    if not has_letters:
        return "symbols"
    if word == word.lower():
        return "lower"
    if word == word.upper():
        return "upper" if len(word) > 1 else "capital"
    return "capital" if word[1:] == word[1:].lower() else "mixed"


def _endings(word: str) -> list[str]:
    """The endings of a word, the longest first, which leave at least one character in front."""
    most = min(LONGEST_ENDING, len(word) - 1)
    return [word[-length:].lower() for length in range(most, 0, -1)]


def _split(text: str) -> list[str]:
    return [word for word in text.split(" ") if word]
