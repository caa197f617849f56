"""Keeps the references of evaluation splits when a problem is prepared, so that raw data is not read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.records import damaged, file_note, nested
from kt2t.disk import sha256
from kt2t.features import flat

NAME = "{}.references.jsonl"
_PLAIN = (str, int, float, bool, type(None))


class References:
    """Writes the reference texts that cannot be decoded from the records of a split: one JSON line for each example.

    A field is rebuilt from its record by `Problem.decode`. Where that does not give the raw text (because the vocabulary
    normalises it, or does not know a word), and where the record does not hold the field, the line has the text itself.

    Args:
        problem: The problem.
        folder: The folder being prepared.
        split: The split.
    """

    def __init__(self, problem: Any, folder: Path, split: str) -> None:
        self.problem = problem
        self._path = folder / NAME.format(split)
        self._stored = flat(problem.stored())
        self._fields: set[str] = set()
        self._skipped = 0  # lines that hold nothing, before the first that holds something
        self._file: Any = None

    def lines(
        self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Mapping[str, Any]]
    ) -> list[tuple[set[str], dict[str, Any]]]:
        """Returns, for each example, the fields that its record gives back and the texts of the others. Called on threads."""
        return [self._line(flat(raw), flat(arrays)) for raw, arrays in zip(examples, encoded, strict=True)]

    def write(self, lines: Sequence[tuple[set[str], dict[str, Any]]]) -> None:
        """Appends lines; the file is begun with the first line that holds anything."""
        for fields, texts in lines:
            self._fields |= fields
            if self._file is None and not texts:
                self._skipped += 1
                continue
            if self._file is None:
                self._file = open(self._path, "w", encoding="utf-8", errors="surrogatepass", newline="\n")
                self._file.write("{}\n" * self._skipped)
            self._file.write(json.dumps(texts, sort_keys=True, ensure_ascii=False) + "\n")

    def close(self) -> dict[str, Any]:
        """Finishes the file and returns the note for the manifest."""
        note: dict[str, Any] = {"fields": sorted(self._fields)}
        if self._file is not None:
            self._file.close()
            note.update(file_note(self._path))
        return note

    def _line(self, raw: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[set[str], dict[str, Any]]:
        fields, texts = set(), {}
        for field, value in raw.items():
            if field in self._stored and field in arrays:
                if _is_reference(field, self._stored[field]):
                    fields.add(field)
                    if isinstance(value, str) and self.problem.decode(field, arrays[field]) != value:
                        texts[field] = value
            elif isinstance(value, _PLAIN):
                texts[field] = str(value)
        return fields, texts


def read_references(problem: Any, split: str) -> list[dict[str, Any]] | None:
    """Reads the references of a split: for each example, its fields by name. None if the folder keeps none.

    Raises:
        DataError: The file is damaged.
    """
    prepared = problem.prepared
    records = prepared.records(split)
    note = prepared.manifest["splits"][split].get("references")
    if note is None:
        return None
    lines = _lines(prepared.folder, note, len(records))
    stored, found = problem.stored(), []
    for begin in range(0, len(records), 1024):
        indices = np.arange(begin, min(begin + 1024, len(records)))
        for texts, record in zip(lines[begin : begin + 1024], records.read(indices), strict=True):
            decoded = {field: problem.decode(field, record[field]) for field in note["fields"] if field not in texts}
            found.append(nested(dict(sorted({**decoded, **texts}.items())), stored))
    return found


def _lines(folder: Path, note: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    if "file" not in note:
        return [{}] * count
    path = folder / note["file"]
    if sha256(path) != note["sha256"]:
        raise damaged(path, "is not what was written: its sha256 differs")
    with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        return [json.loads(line) for line in file]


def _is_reference(field: str, feature: Any) -> bool:
    """Whether a field is text or classes, or a target: pictures and sounds that a model reads are no references."""
    return field.partition(".")[0] == "targets" or np.dtype(feature.dtype).kind == "i"
