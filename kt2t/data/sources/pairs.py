"""Reads pairs of texts: two parallel files, a TSV, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from kt2t.data.sources.lines import lines
from kt2t.data.vocabularies.unicode_text import fault
from kt2t.errors import DataError

Pair = dict[str, str]
JSON_LINES, TABBED = ("jsonl", "json"), ("tsv", "tab")  # file name extensions


def pairs(files: Sequence[str | Path], source_key: str = "inputs", target_key: str = "targets") -> Iterator[Pair]:
    """Yields pairs from two parallel text files, one TSV with two columns, or one file of JSON lines.

    Args:
        files: Two text files, or one `.tsv`, `.jsonl` or `.json`; each may be gzip.
        source_key: Key of the inputs in JSON lines.
        target_key: Key of the targets in JSON lines.

    Raises:
        DataError: The files are not of these kinds, do not fit each other, or are damaged.
    """
    paths = [Path(file) for file in files]
    if len(paths) == 2:
        if reason := not_parallel(files):
            raise DataError(reason)
        yield from parallel(*paths)
        return
    kind = _kind(paths[0]) if len(paths) == 1 else ""
    if kind in JSON_LINES:
        yield from json_lines(paths[0], source_key, target_key)
    elif kind in TABBED:
        yield from tabbed(paths[0])
    else:
        names = ", ".join(str(path) for path in paths)
        raise DataError(f"{names}: give two parallel text files, one .tsv or one .jsonl (each may be .gz).")


def not_parallel(files: Sequence[str | Path]) -> str | None:
    """Returns why two files are not parallel texts, if their names show that they hold pairs already; else None."""
    of_pairs = [f"'{file}'" for file in files if _kind(Path(file)) in (*JSON_LINES, *TABBED)]
    if not of_pairs:
        return None
    what = f"{' and '.join(of_pairs)} {'holds' if len(of_pairs) == 1 else 'hold'} pairs already"
    return (
        f"{what}, but two files must be the two sides of a parallel text. Give one file of pairs for each split, as in "
        "train_files=a.tsv validation_files=b.tsv. Join several files of one split first (cat a.tsv b.tsv > all.tsv)."
    )


def parallel(source: Path, target: Path) -> Iterator[Pair]:
    """Pairs line n of one file with line n of the other.

    Raises:
        DataError: One file has more lines than the other.
    """
    both = zip_longest(lines(source), lines(target))
    for number, (inputs, targets) in enumerate(both, 1):
        if inputs is None or targets is None:
            counts = [number - 1, number - 1]
            counts[0 if targets is None else 1] += 1 + sum(1 for _ in both)
            raise DataError(
                f"'{source}' has {counts[0]} lines, '{target}' {counts[1]}. "
                "Line n of one must belong to line n of the other."
            )
        yield {"inputs": inputs, "targets": targets}


def tabbed(path: Path) -> Iterator[Pair]:
    """Reads two columns separated by a tab.

    Raises:
        DataError: A line does not have two columns.
    """
    for number, line in enumerate(lines(path), 1):
        columns = line.split("\t")
        if len(columns) != 2:
            raise DataError(f"{len(columns)} columns where there should be 2.", file=str(path), line=number)
        yield {"inputs": columns[0], "targets": columns[1]}


def json_lines(path: Path, source_key: str, target_key: str) -> Iterator[Pair]:
    """Yields a pair from each line of JSON: the values of `source_key` and `target_key`. Empty lines are skipped.

    Raises:
        DataError: A line is no JSON mapping, or lacks a key, or has no text there, or half of a surrogate pair in it.
    """
    for number, line in enumerate(lines(path), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"no JSON: {error}.", file=str(path), line=number) from None
        yield {
            "inputs": _text(entry, source_key, path, number),
            "targets": _text(entry, target_key, path, number),
        }


def _kind(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[2]


def _text(entry: Any, key: str, path: Path, number: int) -> str:
    text = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(text, str):
        found = f"only {', '.join(map(repr, entry))}" if isinstance(entry, dict) else repr(entry)[:80]
        raise DataError(f"no text under {key!r}; there is {found}.", file=str(path), line=number)
    if said := fault(text):
        raise DataError(f"{key}: {said}", file=str(path), line=number)
    return text
