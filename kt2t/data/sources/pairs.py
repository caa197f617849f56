"""Pairs of texts: two parallel files, a TSV, or JSON lines."""

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
JSON_LINES, TABBED = ("jsonl", "json"), ("tsv", "tab")  # what follows the last dot of a name


def pairs(files: Sequence[str | Path], source_key: str = "inputs", target_key: str = "targets") -> Iterator[Pair]:
    """The pairs of two parallel text files, of one TSV with two columns, or of one file of JSON lines.

    Args:
        files: Two text files, or one `.tsv`, `.jsonl` or `.json`; each may be gzip.
        source_key: What JSON lines call the inputs.
        target_key: What they call the targets.

    Raises:
        DataError: The files are not of these kinds, do not fit each other, or are damaged.
    """
    paths = [Path(file) for file in files]
    if len(paths) == 2:
        if said := not_parallel(files):
            raise DataError(said)
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
    """Why two files are no parallel texts, where their names tell: each is a file of pairs already."""
    of_pairs = [f"'{file}'" for file in files if _kind(Path(file)) in (*JSON_LINES, *TABBED)]
    if not of_pairs:
        return None
    what = f"{' and '.join(of_pairs)} {'holds' if len(of_pairs) == 1 else 'hold'} pairs already"
    return (
        f"{what}; two files are the lines of one side and of the other. Give one such file a split, as in "
        "train_files=a.tsv validation_files=b.tsv; several for one split first become one file (cat a.tsv b.tsv > all.tsv)."
    )


def parallel(source: Path, target: Path) -> Iterator[Pair]:
    """Line n of one file and line n of the other.

    Raises:
        DataError: One has more lines.
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
    """Two columns with a tab between.

    Raises:
        DataError: A line has not two columns.
    """
    for number, line in enumerate(lines(path), 1):
        columns = line.split("\t")
        if len(columns) != 2:
            raise DataError(f"{len(columns)} columns where there should be 2.", file=str(path), line=number)
        yield {"inputs": columns[0], "targets": columns[1]}


def json_lines(path: Path, source_key: str, target_key: str) -> Iterator[Pair]:
    """One JSON mapping a line, of which two keys are taken; empty lines are skipped.

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
