"""Language modelling on the user's own text files."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kt2t.data.language.running_text import RunningText
from kt2t.data.problem import Example
from kt2t.data.sources.texts import text_files
from kt2t.registry import register

logger = logging.getLogger("kt2t")


@register
class TextFiles(RunningText):
    """Language modelling on your own text files and folders; each file may be gzip.

    Give either `path` or `train_files`; they mean the same. The other options are those of `RunningText`.

    Args:
        path: A text file, or a folder of text files.
        train_files: Text files and folders, in reading order.
        validation_files: Likewise. Default: the last part of the training text (`held_out`) is used for validation.
        test_files: Likewise; adds a split `test`.
        pattern: Pattern for the names of files in folders, without `.gz`.
        exclude: Patterns of files in folders that are left out, such as `README*` or `drafts/*`.

    Raises:
        ValueError: Both or neither of `path` and `train_files` are given.
    """

    def __init__(
        self,
        path: str | None = None,
        train_files: list[str] | str | None = None,
        validation_files: list[str] | str | None = None,
        test_files: list[str] | str | None = None,
        pattern: str = "*.txt",
        exclude: list[str] | str | None = None,
        **common: Any,
    ) -> None:
        if (path is None) == (train_files is None):
            raise ValueError(f"train_files: {train_files!r} with path {path!r}. Give exactly one of the two.")
        super().__init__(path=path, **common)
        by_split = {"train": train_files or path, "validation": validation_files, "test": test_files}
        self._files = {split: [one] if isinstance(one, str) else one for split, one in by_split.items() if one}
        self._path_option = "path" if path else "train_files"
        self.pattern = pattern
        self._exclude = [exclude] if isinstance(exclude, str) else list(exclude or [])

    def files(self) -> dict[str, list[Path]]:
        options = {split: self._path_option if split == "train" else f"{split}_files" for split in self._files}
        return {
            split: text_files(places, self.pattern, f"problem.{options[split]}", self._exclude)
            for split, places in self._files.items()
        }

    def train_vocabularies(self, examples: Iterable[Example]) -> None:
        for split, files in self.files().items():  # logged here, because each preparation calls this once
            logger.info("%s: reading %d files", split, len(files))
            for file in files:
                logger.info("    %s (%s bytes)", file, f"{file.stat().st_size:,}")
        super().train_vocabularies(examples)
