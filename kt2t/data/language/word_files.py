"""Published word-level corpora: one folder with one file per split."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from kt2t.data.language.running_text import RunningText
from kt2t.errors import DataError
from kt2t.registry import register

STEMS = {"train": "train", "validation": "valid", "test": "test"}


class WordFiles(RunningText):
    """Base class of corpora of words separated by spaces: a folder with one file for each split.

    A subclass has `names`, the possible file names, with `{}` for train, valid or test.
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
                f"'{folder}' is not a folder. Name a folder that holds {wanted} (or .gz).", path="problem.path"
            )
        for name in self.names:
            found = {split: _plain_or_gzip(folder / name.format(stem)) for split, stem in STEMS.items()}
            if all(found.values()):
                return found
        raise DataError(f"'{folder}' does not hold all of {wanted} (or .gz).", path="problem.path")


@register
class PennTreebank(WordFiles):
    """The Penn Treebank for language models: a vocabulary of 10,000 words, 929,000 words of training text.

    The splits are `train`, `validation` and `test`. Every line is a sentence. The other options are those of `RunningText`.

    Args:
        path: The folder with `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`, plain or gzip.
        vocabulary: Default: all words of the training file; other words are unknown.

    Raises:
        ValueError: An option is out of its range.

    Source: Marcus et al. 1993; Mikolov et al. 2010.
    """

    names = ("ptb.{}.txt",)


@register
class WikiText(WordFiles):
    """WikiText-2 or WikiText-103: Wikipedia's good and featured articles.

    The splits are `train`, `validation` and `test`. Every line is a paragraph or a heading. The other options are those of
    `RunningText`.

    Args:
        path: The folder with `wiki.train.tokens`, `wiki.valid.tokens` and `wiki.test.tokens`, or with the three `.raw` files
            (without unknown words), plain or gzip.
        vocabulary: Default: all words of the training file; other words are unknown. For `.raw` use `Bytes`, `Characters` or
            `Subwords`.

    Raises:
        ValueError: An option is out of its range.

    Source: Merity et al. 2017.
    """

    names = ("wiki.{}.tokens", "wiki.{}.raw")


def _plain_or_gzip(path: Path) -> list[Path]:
    zipped = path.with_name(path.name + ".gz")
    return [path] if path.is_file() else [zipped] if zipped.is_file() else []
