"""Your own pairs of texts, without code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kt2t.data.sources.pairs import not_parallel
from kt2t.data.sources.regular import require_regular
from kt2t.data.translation.translation import Translation
from kt2t.errors import DataError
from kt2t.registry import register


@register
class ParallelText(Translation):
    """Pairs from your own files: two parallel text files, one TSV with two columns, or JSON lines; each may be gzip.

    Without validation files, 1 % of the pairs (at most 2,000) is held out, chosen by a hash of their text.

    Args:
        train_files: Two text files (source, target), or one `.tsv` or `.jsonl`; None for a model that is not trained.
        validation_files: Likewise.
        test_files: Likewise; makes a split `test`.
        source_key: What JSON lines call the source.
        target_key: What they call the target.
        vocabulary: Of both sides; bytes by default.
        source_vocabulary: Of the source, where each side has its own.
        target_vocabulary: Of the target, likewise.
        loss: See `Problem`.
        max_length: See `Problem`.
        target_space: See `TextToText`.

    Raises:
        ValueError: Vocabularies that contradict each other, or not one or two files for a split,
            or two that each hold pairs.
    """

    def __init__(
        self,
        train_files: list[str] | str | None,
        validation_files: list[str] | str | None = None,
        test_files: list[str] | str | None = None,
        source_key: str = "inputs",
        target_key: str = "targets",
        vocabulary: Any = None,
        source_vocabulary: Any = None,
        target_vocabulary: Any = None,
        loss: Any = None,
        max_length: int | dict[str, int] | None = None,
        target_space: int | None = None,
    ) -> None:
        super().__init__(
            vocabulary=vocabulary,
            source_vocabulary=source_vocabulary,
            target_vocabulary=target_vocabulary,
            loss=loss,
            max_length=max_length,
            target_space=target_space,
        )
        self._files: dict[str, list[str]] = {}
        given = {"train": train_files, "validation": validation_files, "test": test_files}
        for split, files in given.items():
            if files is None:
                continue
            self._files[split] = [files] if isinstance(files, str) else list(files)
            if len(self._files[split]) not in (1, 2):
                raise ValueError(
                    f"{split}_files: {len(self._files[split])} files. "
                    "Give two parallel text files, or one .tsv or .jsonl."
                )
            if len(self._files[split]) == 2 and (said := not_parallel(self._files[split])):
                raise ValueError(f"{split}_files: {said}")
        self._keys = (source_key, target_key)

    def keys(self) -> tuple[str, str]:
        return self._keys

    def files(self) -> dict[str, list[Path]]:
        if not self._files:
            raise DataError(
                "there are none. Give two parallel text files, or one .tsv or .jsonl.", path="problem.train_files"
            )
        found = {split: [Path(file).expanduser() for file in files] for split, files in self._files.items()}
        for split, files in found.items():
            for file in files:
                require_regular(file, f"problem.{split}_files")
        return found
