"""Translation of the user's own text pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kt2t.data.sources.columns import Key
from kt2t.data.sources.pairs import not_parallel
from kt2t.data.sources.regular import require_regular
from kt2t.data.translation.translation import Translation
from kt2t.errors import DataError
from kt2t.registry import register


@register
class ParallelText(Translation):
    """Text pairs from your own files: two parallel text files, one TSV, or JSON; gzip or plain.

    JSON is one object a line, or one list of objects.

    Without validation files, 1 % of the pairs (at most 2,000) is held out, chosen by a hash of their text.

    Args:
        train_files: Two text files (source, target), or one `.tsv` or `.jsonl`. None for a model that is not trained.
        validation_files: Likewise.
        test_files: Likewise; adds a split `test`.
        source_key: Key of the source in JSON, dotted for nested objects (`translation.en`). In a TSV the number of its column,
            from 1, or its name in the header row; the first column of two by default.
        target_key: Likewise, of the target.
        vocabulary: Vocabulary of both sides. Default: bytes.
        source_vocabulary: Vocabulary of the source, if each side has its own.
        target_vocabulary: Vocabulary of the target, if each side has its own.
        loss: See `Problem`.
        max_length: See `Problem`.
        target_space: See `TextToText`.
        header: Whether the first line of a TSV is a header row, which is no example. By default kt2t finds out, and says so.

    Raises:
        ValueError: The vocabularies contradict each other, a split does not have one or two files, or two files of a split
            hold pairs each.
    """

    later_options = frozenset({"header"})

    def __init__(
        self,
        train_files: list[str] | str | None,
        validation_files: list[str] | str | None = None,
        test_files: list[str] | str | None = None,
        source_key: str | int = "inputs",
        target_key: str | int = "targets",
        vocabulary: Any = None,
        source_vocabulary: Any = None,
        target_vocabulary: Any = None,
        loss: Any = None,
        max_length: int | dict[str, int] | None = None,
        target_space: int | None = None,
        header: bool | None = None,
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
        by_split = {"train": train_files, "validation": validation_files, "test": test_files}
        for split, files in by_split.items():
            if files is None:
                continue
            self._files[split] = [files] if isinstance(files, str) else list(files)
            if len(self._files[split]) not in (1, 2):
                raise ValueError(
                    f"{split}_files: {len(self._files[split])} files. "
                    "Give two parallel text files, or one .tsv or .jsonl."
                )
            if len(self._files[split]) == 2 and (reason := not_parallel(self._files[split])):
                raise ValueError(f"{split}_files: {reason}")
        for name, key in {"source_key": source_key, "target_key": target_key}.items():
            if isinstance(key, int) and key < 1:
                raise ValueError(f"{name}: {key} is no column. Columns are counted from 1.")
        self._keys = (source_key, target_key, header)

    def keys(self) -> tuple[Key, Key, bool | None]:
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
