"""Reads text pairs from JSON: one object a line, or one list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kt2t.data.sources.lines import lines, whole_bytes
from kt2t.data.vocabularies.unicode_text import fault
from kt2t.errors import DataError

Pair = dict[str, str]
WANTED = "Write one object a line, or one list of objects"


def json_pairs(path: Path, source_key: str, target_key: str) -> Iterator[Pair]:
    """Yields a pair from each entry: the texts under `source_key` and `target_key`. Empty lines are skipped.

    A dotted key such as `translation.en` reads nested objects, unless an object has a key with exactly this name. A file that
    holds one list is read as a whole; of a file with one object a line, one line is in memory at a time.

    Raises:
        DataError: An entry is no JSON object, or lacks a key, or has no text there, or half of a surrogate pair in it.
    """
    for where, entry in _entries(path):
        yield {"inputs": _text(entry, source_key, where), "targets": _text(entry, target_key, where)}


class _Where:
    """The place of an entry in a file: a line, or the number of an entry of a list."""

    def __init__(self, path: Path, line: int | None = None, entry: int | None = None) -> None:
        self.path, self.line, self.entry = path, line, entry

    def refused(self, message: str) -> DataError:
        message = message if self.entry is None else f"entry {self.entry} of the list: {message}"
        return DataError(message, file=str(self.path), line=self.line)


def _entries(path: Path) -> Iterator[tuple[_Where, Any]]:
    listed = _one_list(path)
    if listed is not None:
        for number, entry in enumerate(listed, 1):
            yield _Where(path, entry=number), entry
        return
    for number, line in enumerate(lines(path), 1):
        if line.strip():
            yield _Where(path, line=number), _parsed(line, path, number)


def _parsed(line: str, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(f"no JSON: {reason}. {WANTED}.", file=str(path), line=number) from None


def _one_list(path: Path) -> list[Any] | None:
    """The entries of a file that holds one list; None if it holds something else, such as one object or list a line."""
    start = next(whole_bytes(path, 1024), b"").removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"["):
        return None
    try:
        found = json.loads(b"".join(whole_bytes(path)).decode("utf-8-sig"))
    except (UnicodeDecodeError, RecursionError):
        return None  # reading it line by line names the line
    except ValueError as error:
        if getattr(error, "msg", "") == "Extra data":  # a list on each line
            return None
        line = getattr(error, "lineno", None)
        raise DataError(f"the list is no JSON: {error}. {WANTED}.", file=str(path), line=line) from None
    if isinstance(found, list) and not found:
        raise DataError(f"'{path}' holds an empty list.")
    return found if any(isinstance(entry, Mapping) for entry in found) else None


def _text(entry: Any, key: str, where: _Where) -> str:
    text = _below(entry, key)
    if not isinstance(text, str):
        keys = ", ".join(map(repr, _names(entry)))
        found = f"only {keys}" if isinstance(entry, Mapping) else repr(entry)[:80]
        raise where.refused(f"no text under {key!r}; there is {found}.")
    if reason := fault(text):
        raise where.refused(f"{key}: {reason}")
    return text


def _below(entry: Any, key: str) -> Any:
    """The value under a key, or under a dotted key of nested objects."""
    if not isinstance(entry, Mapping):
        return None
    if key in entry:
        return entry[key]
    for dot in (place for place, letter in enumerate(key) if letter == "."):
        found = _below(entry.get(key[:dot]), key[dot + 1 :])
        if found is not None:
            return found
    return None


def _names(entry: Any, prefix: str = "") -> Iterator[str]:
    """The keys of an object, dotted where objects are nested."""
    for key, value in entry.items() if isinstance(entry, Mapping) else ():
        if isinstance(value, Mapping) and value:
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
