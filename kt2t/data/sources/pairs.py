"""Reads pairs of texts: two parallel files, a TSV, or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from kt2t.data.sources.columns import Key, Pair, columns
from kt2t.data.sources.json_entries import json_pairs
from kt2t.data.sources.lines import lines
from kt2t.errors import DataError

JSON_LINES, TABBED = ("jsonl", "json"), ("tsv", "tab")  # file name extensions


def pairs(
    files: Sequence[str | Path], source_key: Key = "inputs", target_key: Key = "targets", header: bool | None = None
) -> Iterator[Pair]:
    """Yields pairs from two parallel text files, one TSV, or one file of JSON.

    Args:
        files: Two text files, or one `.tsv`, `.jsonl` or `.json`; each may be gzip.
        source_key: Key of the inputs in JSON, dotted for nested objects; number or name of their column in a TSV.
        target_key: Likewise, of the targets.
        header: Whether the first line of a TSV is a header row; see `columns`.

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
        yield from json_pairs(paths[0], str(source_key), str(target_key))
    elif kind in TABBED:
        yield from columns(paths[0], source_key, target_key, header)
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


def _kind(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[2]
