"""The base class of translation problems: text pairs from files, scored by BLEU and chrF."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kt2t.data.problem import Example
from kt2t.data.sources.columns import Key
from kt2t.data.sources.pairs import pairs
from kt2t.data.text_to_text import TextToText
from kt2t.errors import DataError


class Translation(TextToText):
    """Base class of translation problems: pairs of texts from files, scored by BLEU and chrF.

    A subclass defines `files()`. If its files are not two parallel texts, it may define `keys()` too.
    """

    def files(self) -> dict[str, list[Path]]:
        """Returns the paths of each split's files by the split's name, such as `{"train": [Path("a.en"), Path("a.de")]}`.

        Two paths are parallel texts, source first, with a sentence per line. One path is a file of pairs (TSV or JSON lines).
        """
        raise NotImplementedError(f"{type(self).__name__} must define files().")

    def splits(self) -> tuple[str, ...]:
        return tuple(self.files())

    def examples(self, split: str) -> Iterable[Example]:
        files = self.files()
        if split not in files:
            raise DataError(f"{split!r} is not a split of {type(self).__name__}. There are: {', '.join(files)}.")
        return pairs(files[split], *self.keys())

    def keys(self) -> tuple[Key, Key, bool | None]:
        """Returns the names or numbers of the columns (or keys) of source and target in a file of pairs, and whether it has a
        header row (None: find out).
        """
        return ("inputs", "targets", None)

    def source_files(self) -> list[Path]:
        return [file for files in self.files().values() for file in files]

    def scores(self) -> list[Any]:
        from kt2t.scores import Bleu, ChrF

        return [Bleu(), ChrF()]
