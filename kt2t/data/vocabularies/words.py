"""A vocabulary of words, with bytes for unknown words."""

from __future__ import annotations

from collections.abc import Iterable

from kt2t.data.vocabularies.bytes import BYTES, OFFSET, byte_ids, text_of_bytes
from kt2t.data.vocabularies.unicode_text import checked, fault
from kt2t.data.vocabularies.vocabulary import tally
from kt2t.data.vocabularies.word_list import WordList
from kt2t.registry import register

FIRST = OFFSET + BYTES
SPACE = OFFSET + ord(" ")


@register
class Words(WordList):
    """Gives each known word one id and spells unknown words in bytes, so no text is lost.

    Words are separated by single spaces. Ids: 0 padding, 1 end, 2 to 257 the bytes, from 258 on the words, most frequent
    first. An unknown word is encoded as its UTF-8 bytes and a space. The space after a known word is not encoded.

    Shapes:
        text of n known words → n ids

    Args:
        size: Maximum number of ids. There are fewer if the training texts have fewer words.
        words: The known words. Default: `train` takes them from the training texts.

    Raises:
        ValueError: `size` leaves no room for a word, `words` is empty, or a word is empty or contains a space or a line feed.

    Source: none.
    """

    file = "words.txt"
    first = FIRST

    def __init__(self, size: int = 32_768, words: list[str] | None = None) -> None:
        if size <= FIRST:
            raise ValueError(f"size: {size} leaves no room for words beside {FIRST} reserved ids. Take more.")
        if words is not None and not words:
            raise ValueError("words: [] names none. Name some, or leave the option out to take the training texts'.")
        for word in words or []:
            if not word or " " in word or "\n" in word:
                raise ValueError(f"words: {word!r} is not one word. A word is not empty and has no space in it.")
        if reason := fault(" ".join(words or [])):
            raise ValueError(f"words: {reason}")
        self.requested_size = size
        self._fixed = words is not None
        self._take(list(dict.fromkeys(words or [])))

    def train(self, texts: Iterable[str]) -> None:
        if self._fixed:
            return
        counts = tally(texts, _words, "Words")
        self._take([word for word in counts if "\n" not in word][: self.requested_size - FIRST])

    def encode(self, text: str) -> list[int]:
        self.require_training()
        if not text:
            return []
        ids: list[int] = []
        for word in checked(text).split(" "):
            known = self._ids.get(word)
            if known is None:
                ids += byte_ids(word)
                ids.append(SPACE)
            else:
                ids.append(known)
        return ids

    def decode_ids(self, ids: list[int]) -> str:
        self.require_training()
        words: list[str] = []
        spelt: list[int] = []
        for number in ids:
            if number < FIRST and number != SPACE:
                spelt.append(number)
                continue
            if spelt or number == SPACE:
                words.append(text_of_bytes(spelt))
                spelt = []
            if number != SPACE:
                words.append(self._words[number - FIRST])
        if spelt:
            words.append(text_of_bytes(spelt))
        return " ".join(words)


def _words(text: str) -> list[str]:
    return [word for word in text.split(" ") if word]
