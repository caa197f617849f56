"""The published word-level corpora: one file for each split, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from kt2t.data.language.running_text import RunningText
from kt2t.errors import DataError
from kt2t.registry import register

STEMS = {"train": "train", "validation": "valid", "test": "test"}


class WordFiles(RunningText):
    """Text of words parted by spaces, a folder with a file for each of `train`, `validation` and `test`.

    A subclass has `names`: what the files may be called, `{}` being train, valid or test.
    """

    names: ClassVar[tuple[str, ...]]

    def __init__(self, path: str, vocabulary: Any = None, **common: Any) -> None:
        vocabulary = {"type": "ClosedWords"} if vocabulary is None else vocabulary
        super().__init__(path=path, vocabulary=vocabulary, **common)

    def files(self) -> dict[str, list[Path]]:
        folder = Path(str(self.path)).expanduser()
        wanted = " or ".join(", ".join(name.format(stem) for stem in STEMS.values()) for name in self.names)
        if not folder.is_dir():
            raise DataError(
                f"'{folder}' is no folder. It should be one that holds {wanted} (or .gz).", path="problem.path"
            )
        for name in self.names:
            found = {split: _plain_or_gzip(folder / name.format(stem)) for split, stem in STEMS.items()}
            if all(found.values()):
                return found
        raise DataError(f"'{folder}' does not hold all of {wanted} (or .gz).", path="problem.path")


@register
class PennTreebank(WordFiles):
    """The Penn Treebank as language models are measured on: 10,000 words, 929,000 for training.

    The splits are `train`, `validation` and `test`; every line is a sentence. Further options are those of `RunningText`.

    Args:
        path: The folder with `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`, plain or gzip.
        vocabulary: All words of the training file, others unknown, by default.

    Raises:
        ValueError: An option out of its range.

    Source: Marcus et al. 1993; Mikolov et al. 2010.
    """

    names = ("ptb.{}.txt",)


@register
class WikiText(WordFiles):
    """WikiText-2 or WikiText-103: Wikipedia's good and featured articles.

    The splits are `train`, `validation` and `test`; every line is a paragraph or heading. Further options are those of
    `RunningText`.

    Args:
        path: The folder with `wiki.train.tokens`, `wiki.valid.tokens` and `wiki.test.tokens`, or all three `.raw` (without
            unknown words), plain or gzip.
        vocabulary: All words of the training file, others unknown, by default; `Bytes`, `Characters` or `Subwords` fit `.raw`.

    Raises:
        ValueError: An option out of its range.

    Source: Merity et al. 2017.
    """

    names = ("wiki.{}.tokens", "wiki.{}.raw")


def _plain_or_gzip(path: Path) -> list[Path]:
    zipped = path.with_name(path.name + ".gz")
    return [path] if path.is_file() else [zipped] if zipped.is_file() else []
