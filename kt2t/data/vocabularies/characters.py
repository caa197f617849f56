"""A vocabulary of characters."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from kt2t.data.vocabularies.bytes import BYTES, OFFSET, byte_ids, text_of_bytes
from kt2t.data.vocabularies.unicode_text import checked, fault
from kt2t.data.vocabularies.vocabulary import Vocabulary, tally
from kt2t.registry import register

FILE = "characters.txt"
FIRST = OFFSET + BYTES


@register
class Characters(Vocabulary):
    """Gives each known character one id and encodes other characters as UTF-8 bytes, so no text is lost.

    Ids: 0 padding, 1 end, 2 to 257 the bytes, from 258 on the characters in the order of their code points.

    Shapes:
        text of n known characters → n ids

    Args:
        characters: The known characters. Default: `train` takes all characters of the training texts.

    Raises:
        ValueError: `characters` is empty or no Unicode text.

    Source: none.
    """

    def __init__(self, characters: str | None = None) -> None:
        if characters is not None and not characters:
            raise ValueError("characters: '' is empty. Name some, or leave the option out to take the training texts'.")
        if reason := fault(characters or ""):
            raise ValueError(f"characters: {reason}")
        self._fixed = characters is not None
        self._take("".join(sorted(set(characters or ""))))

    @property
    def trained(self) -> bool:  # type: ignore[override]
        return bool(self._characters)

    @property
    def size(self) -> int:
        self.require_training()
        return FIRST + len(self._characters)

    def train(self, texts: Iterable[str]) -> None:
        if not self._fixed:
            self._take("".join(sorted(tally(texts, iter, "Characters"))))

    def encode(self, text: str) -> list[int]:
        self.require_training()
        known = self._ids
        try:
            return [known[character] for character in text]
        except KeyError:
            parts = ([known[c]] if c in known else byte_ids(c) for c in checked(text))
            return list(itertools.chain.from_iterable(parts))

    def decode_ids(self, ids: list[int]) -> str:
        self.require_training()
        runs = itertools.groupby(ids, key=lambda number: number < FIRST)
        return "".join(
            text_of_bytes(run) if is_bytes else "".join(self._characters[number - FIRST] for number in run)
            for is_bytes, run in runs
        )

    def contents(self) -> dict[str, bytes]:
        return {FILE: self._characters.encode()}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        self._take(contents[FILE].decode())

    def _take(self, characters: str) -> None:
        self._characters = characters
        self._ids = {character: FIRST + place for place, character in enumerate(characters)}
