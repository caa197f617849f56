"""Tags of words, from treebanks in CoNLL-U."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.problem import Example, Problem
from kt2t.data.sources.conllu import COLUMNS, Sentence, sentences
from kt2t.data.vocabularies.classes import Classes
from kt2t.data.vocabularies.shaped_words import ShapedWords
from kt2t.data.vocabularies.vocabulary import vocabulary_of
from kt2t.errors import DataError
from kt2t.features import Tags, Text
from kt2t.options import below_one
from kt2t.registry import register

SPLITS = {"train": "train", "validation": "dev", "test": "test"}
NO_TAG = "_"

logger = logging.getLogger("kt2t")


@register
class ConlluTags(Problem):
    """A tag for each word of a sentence, such as its part of speech: one column of CoNLL-U files, plain or gzip.

    Give either `path`, the folder of a Universal Dependencies treebank, or files. A sentence is its words with spaces
    between; multiword ranges and empty nodes are left out. A word with spaces in it is written with no-break spaces.

    In training, words are replaced at random by their looks (see `ShapedWords` and `word_dropout`), so that the model learns
    from all words what an unknown word with this look is.

    Args:
        path: A folder with `*-train.conllu` and, where there are, `*-dev.conllu` and `*-test.conllu`, each with or
            without `.gz`.
        train_files: Files to train on, instead of `path`.
        validation_files: Files to validate on; without them some of the training sentences are held out.
        test_files: Files of a split `test`.
        column: The column that holds the tags: UPOS, XPOS, DEPREL, …
        vocabulary: Of the words, one id a word; `ShapedWords` by default.
        word_dropout: Probability of replacing a word by its look, in training only; needs a vocabulary with looks.
        skip: How many sentences with a tag that training does not have may be left out of each other split; they are
            logged and counted in the manifest. One more is an error.
        loss: See `Problem`.
        max_length: See `Problem`; in words.

    Raises:
        ValueError: Both or none of `path` and `train_files`; no such column; a number is out of range.

    Source: universaldependencies.org; word dropout of Iyyer et al. 2015, with looks in place of nothing.
    """

    training_options = Problem.training_options | {"word_dropout"}

    def __init__(
        self,
        path: str | None = None,
        train_files: list[str] | str | None = None,
        validation_files: list[str] | str | None = None,
        test_files: list[str] | str | None = None,
        column: str = "UPOS",
        vocabulary: Any = None,
        word_dropout: float = 0.0,
        skip: int = 0,
        loss: Any = None,
        max_length: int | None = None,
    ) -> None:
        super().__init__(loss=loss, max_length=max_length)
        if (path is None) == (train_files is None):
            raise ValueError(f"train_files: {train_files!r} with path {path!r}. Give exactly one of the two.")
        if column not in COLUMNS[2:]:
            raise ValueError(f"column: {column!r} holds no tags. Choose one of {', '.join(COLUMNS[2:])}.")
        if skip < 0:
            raise ValueError(f"skip: {skip} is negative.")
        self.path = path
        self.column = column
        self.word_dropout = below_one("word_dropout", word_dropout)
        self.skip = skip
        self._options = {"train": train_files, "validation": validation_files, "test": test_files}
        self._words: Any = vocabulary_of({"type": "ShapedWords"} if vocabulary is None else vocabulary)
        self._tags = Classes()
        if word_dropout and not isinstance(self._words, ShapedWords):
            raise ValueError(f"word_dropout: {type(self._words).__name__} has no looks to hide words behind. Use 0.")

    def splits(self) -> tuple[str, ...]:
        return tuple(self.files())

    def source_files(self) -> list[Path]:
        return [file for files in self.files().values() for file in files]

    def files(self) -> dict[str, list[Path]]:
        """Returns the files of each split.

        Raises:
            DataError: The folder `path` does not exist, or has no file to train on, or several.
        """
        if self.path is not None:
            return _treebank(Path(self.path).expanduser())
        given = {split: [names] if isinstance(names, str) else names for split, names in self._options.items() if names}
        return {split: [Path(name).expanduser() for name in names] for split, names in given.items()}

    def vocabularies(self) -> dict[str, Any]:
        return {"inputs": self._words, "targets": self._tags}

    def train_vocabularies(self, examples: Iterable[Example]) -> None:
        names: dict[Classes, set[str]] = {}

        def words() -> Iterator[str]:
            for example in examples:
                for classes, found in self._classes_of(example).items():
                    names.setdefault(classes, set()).update(found)
                yield example["inputs"]

        if self._words.trained:
            deque(words(), maxlen=0)
        else:
            self._words.train(words())
        for classes, found in names.items():
            classes.train(found)

    def examples(self, split: str) -> Iterator[Example]:
        skipped = 0
        for file in self.files()[split]:
            for sentence in sentences(file):
                if unknown := self._unknown(sentence):
                    skipped += 1
                    if skipped > self.skip:
                        raise unknown
                    logger.warning("skipped: %s", unknown)
                yield self.example(sentence)

    def example(self, sentence: Sentence) -> Example:
        """Turns a sentence into a raw example: its words as a text, its tags as a list of names."""
        words = " ".join(word.replace(" ", "\u00a0") for word in sentence.column("FORM"))
        return {"inputs": words, "targets": sentence.column(self.column)}

    def reject(self, example: Mapping[str, Any]) -> str | None:
        for classes, names in self._classes_of(example).items():
            if classes.trained and not classes.has_all(names):
                return "a class that training does not have"
        return super().reject(example)

    def encode(self, example: Mapping[str, Any]) -> dict[str, Any]:
        encoded = {"inputs": np.array(self._words.encode(example["inputs"]), np.int32)}
        if "targets" in example:
            encoded["targets"] = self._tags.tag_ids(example["targets"])
        return encoded

    def features(self) -> dict[str, Any]:
        if not all(one.trained for one in self.vocabularies().values()) and not self.find_prepared():
            raise DataError(
                f"{type(self).__name__}: its vocabularies are not trained yet. "
                "Call its prepare() first, or run: kt2t prepare RECIPE."
            )
        return self._features_with(self._words.size, self._tags.size)

    def expected_features(self) -> dict[str, Any]:
        return self._features_with(self._words.expected_size, self._tags.size if self._tags.trained else 17)

    def transform(self, split: str, example: dict[str, Any], draw: Any) -> dict[str, Any]:
        if draw is None or not self.word_dropout:
            return example
        ids = example["inputs"]
        hidden = draw.generator().random(len(ids)) < self.word_dropout
        return {**example, "inputs": np.where(hidden, self._words.looks_of_ids[ids], ids)}

    def _features_with(self, words: int, tags: int) -> dict[str, Any]:
        return {"inputs": Text(words), "targets": Tags(tags)}

    def _classes_of(self, example: Mapping[str, Any]) -> dict[Classes, list[str]]:
        """The names of classes in an example, by what they are classes of."""
        return {self._tags: example["targets"]} if "targets" in example else {}

    def _unknown(self, sentence: Sentence) -> DataError | None:
        """The error for the first word without a tag, or with one that training does not have."""
        for word, tag, line in zip(sentence.column("FORM"), sentence.column(self.column), sentence.lines, strict=True):
            if tag == NO_TAG:
                raise DataError(
                    f"{word!r} has no {self.column}, only _. Choose another column.", file=sentence.file, line=line
                )
            if self._tags.trained and tag not in self._tags.names:
                known = ", ".join(self._tags.names[:20])
                return DataError(
                    f"{word!r} has the {self.column} {tag!r}, which no training sentence has (they have {known}). "
                    "Correct it, or allow some such sentences to be left out with problem.skip.",
                    file=sentence.file,
                    line=line,
                )
        return None


def _treebank(folder: Path) -> dict[str, list[Path]]:
    """The files of a treebank of Universal Dependencies by split."""
    if not folder.is_dir():
        raise DataError(
            f"'{folder}' is no folder. It should hold *-train.conllu and *-dev.conllu.", path="problem.path"
        )
    names = sorted(file.name for file in folder.iterdir())
    found: dict[str, list[Path]] = {}
    for split, word in SPLITS.items():
        fitting = [name for name in names if name.removesuffix(".gz").endswith(f"-{word}.conllu")]
        if len(fitting) > 1:
            raise DataError(
                f"'{folder}' holds several files for {split}: {', '.join(fitting)}. Name one with {split}_files.",
                path="problem.path",
            )
        if fitting:
            found[split] = [folder / fitting[0]]
    if "train" not in found:
        raise DataError(f"'{folder}' has no *-train.conllu (or .conllu.gz) in it.", path="problem.path")
    return found
