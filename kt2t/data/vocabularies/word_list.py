"""The base class of vocabularies with a list of words."""

from __future__ import annotations

from collections.abc import Mapping

from kt2t.data.vocabularies.vocabulary import Vocabulary


class WordList(Vocabulary):
    """Base class of vocabularies that end with a list of words. A subclass decides how to split text into words.

    Attributes:
        file: Name of the file with the words, one per line.
        first: Id of the first word.
    """

    file: str
    first: int
    _words: list[str]

    @property
    def trained(self) -> bool:  # type: ignore[override]
        return bool(self._words)

    @property
    def size(self) -> int:
        self.require_training()
        return self.first + len(self._words)

    def contents(self) -> dict[str, bytes]:
        return {self.file: "\n".join(self._words).encode()}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        self._take(contents[self.file].decode().split("\n"))

    def _take(self, words: list[str]) -> None:
        self._words = words
        self._ids = {word: self.first + place for place, word in enumerate(words)}
