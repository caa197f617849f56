"""What vocabularies of known words have in common."""

from __future__ import annotations

from collections.abc import Mapping

from kt2t.data.vocabularies.vocabulary import Vocabulary


class WordList(Vocabulary):
    """A vocabulary whose last ids are those of a list of words; how text is taken apart is the subclass's.

    Attributes:
        file: The name of the file that holds the words, one a line.
        first: The id of the first word.
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
