"""Reads two columns of a TSV file, chosen by number or by the names in its header row."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kt2t.data.sources.lines import lines
from kt2t.errors import DataError

Pair = dict[str, str]
Key = str | int
logger = logging.getLogger("kt2t")
DEFAULTS = ("inputs", "targets")
CHOICE = "problem.source_key=1 problem.target_key=2"

# What people call the columns of text pairs. `en`, `de_DE` and `text_en` are names as well.
_NAMES = frozenset(
    "answer answers article input inputs label labels output outputs prompt question questions reference response "
    "sentence sentence1 sentence2 source src summary target targets text tgt translation english german french spanish "
    "italian dutch russian chinese japanese".split()
)
_LANGUAGE = re.compile(
    r"(?:\w+[_.])?(?:ar|bg|bn|cs|cy|da|de|el|en|es|et|eu|fa|fi|fr|ga|gl|gu|he|hi|hr|hu|hy|id|is|it|ja|ka|kk|km|ko|lt|lv|mk|ml|"
    r"mr|ms|mt|my|nb|ne|nl|nn|no|pa|pl|ps|pt|ro|ru|sk|sl|so|sq|sr|sv|sw|ta|te|th|tl|tr|uk|ur|uz|vi|xh|zh|zu)(?:[-_][A-Za-z]{2,4})?"
)


def columns(path: Path, source: Key = "inputs", target: Key = "targets", header: bool | None = None) -> Iterator[Pair]:
    """Yields the pairs of a TSV file.

    Args:
        path: The file; it may be gzip.
        source: The column of the inputs: its number, from 1, or its name in the header row. The default means the first
            column if the file has no header row.
        target: The column of the targets; by default the second.
        header: Whether the first line is a header row. None finds out: a row is one if it holds `source` and `target`, or
            two different names such as `en` and `de`; the log says so.

    Raises:
        DataError: A column does not exist, or a line has another number of columns.
    """
    rows = enumerate((line.split("\t") for line in lines(path)), 1)
    number, first = next(rows)
    chosen, has_header = _chosen(first, (source, target), header, str(path))
    if has_header:
        _say_header(path, tuple(first), tuple(chosen))
    else:
        yield _pair(first, chosen, len(first), str(path), number)
    for number, row in rows:
        yield _pair(row, chosen, len(first), str(path), number)


def looks_like_header(row: Sequence[str]) -> bool:
    """Returns whether a row looks like a header: different names, at least two of them usual names of text columns."""
    names = [cell.strip().lower() for cell in row]
    known = [name for name in names if name in _NAMES or _LANGUAGE.fullmatch(name)]
    short = all(name and len(name.split()) == 1 for name in names)
    return short and len(known) >= 2 and len(set(names)) == len(names)


def _chosen(row: Sequence[str], keys: tuple[Key, Key], header: bool | None, file: str) -> tuple[list[int], bool]:
    """The places of the two columns, from 0, and whether the row is a header."""
    names = [cell.strip() for cell in row]
    by_name = [key for key in keys if isinstance(key, str)]
    if header is not False and by_name and all(key in names for key in by_name):
        return [names.index(key) if isinstance(key, str) else _place(key, row, file) for key in keys], True
    if keys != DEFAULTS and by_name:
        missing = next((key for key in by_name if key not in names), by_name[0])
        raise DataError(
            f"no column is called {missing!r}; the first line holds {_listed(row)}. Name two of them, or give two numbers, "
            f"such as {CHOICE}.",
            file=file,
            line=1,
        )
    if keys == DEFAULTS and len(row) != 2:
        raise DataError(
            f"{len(row)} columns where there should be 2. Choose two by number, as in {CHOICE}, or by their names in a "
            f"header row. The first line holds {_listed(row)}.",
            file=file,
            line=1,
        )
    numbers = [place for place, key in enumerate(keys, 1)] if keys == DEFAULTS else keys
    return [_place(int(key), row, file) for key in numbers], looks_like_header(row) if header is None else header


def _place(number: int, row: Sequence[str], file: str) -> int:
    if not 1 <= number <= len(row):
        raise DataError(f"there is no column {number}: the first line has {len(row)}, counted from 1.", file=file, line=1)
    return number - 1


def _pair(row: Sequence[str], chosen: Sequence[int], count: int, file: str, number: int) -> Pair:
    if len(row) != count:
        raise DataError(f"{len(row)} columns where there should be {count}.", file=file, line=number)
    return {"inputs": row[chosen[0]], "targets": row[chosen[1]]}


def _listed(row: Sequence[str]) -> str:
    shown = ", ".join(repr(cell[:40]) for cell in row[:8])
    return f"{shown} and {len(row) - 8} more" if len(row) > 8 else shown


@functools.cache
def _say_header(path: Path, row: tuple[str, ...], chosen: tuple[int, ...]) -> None:
    """Logs, once for each file, that its first line is not used as a pair."""
    source, target = (row[place] for place in chosen)
    logger.info(
        "%s: the first line is a header row and no example; reading %r and %r. If it is an example, add problem.header=false.",
        path,
        source,
        target,
    )
