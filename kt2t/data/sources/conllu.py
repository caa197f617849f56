"""Sentences of CoNLL-U files: a word a line, in ten columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kt2t.data.sources.lines import lines
from kt2t.errors import DataError

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_WORD = re.compile(r"[1-9][0-9]*")
_RANGE = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)")
_EMPTY_NODE = re.compile(r"[0-9]+\.[1-9][0-9]*")


@dataclass
class Sentence:
    """A sentence of a CoNLL-U file.

    Attributes:
        file: The file that holds the sentence.
        line: The line of its first word, from 1.
        comments: Its comments by name: `# sent_id = x` is `{"sent_id": "x"}`. The value of a comment without `=` is empty.
        rows: The ten columns of each word; multiword ranges (`3-4`) and empty nodes (`3.1`) are left out.
        lines: The line of each row.
    """

    file: str
    line: int
    comments: dict[str, str] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        """Returns one column, such as `FORM` or `UPOS`, of all words."""
        place = COLUMNS.index(name)
        return [row[place] for row in self.rows]


def sentences(path: str | Path) -> Iterator[Sentence]:
    """Yields the sentences of a CoNLL-U file, plain or gzip; only one is in memory at a time.

    `# newdoc` and `# newpar` belong to the sentence before which they stand.

    Raises:
        DataError: Named by file and line: a row has not ten columns, an empty column, or an ID that does not follow; a
            comment or an empty line stands within a sentence or without one. Named by file: what `lines` refuses.

    Source: universaldependencies.org/format.html, CoNLL-U.
    """
    file = str(path)
    sentence = Sentence(file, 0)
    number = 0
    for number, line in enumerate(lines(path), 1):
        if not line.strip():
            if sentence.rows:
                yield sentence
            elif sentence.comments:
                raise DataError("a sentence of comments alone ends here, without a word.", file=file, line=number)
            sentence = Sentence(file, 0)
        elif line.startswith("#"):
            if sentence.rows:
                raise DataError(
                    "a comment within a sentence. Comments stand before the first word; an empty line ends a sentence.",
                    file=file,
                    line=number,
                )
            name, _, value = line[1:].partition("=")
            sentence.comments[name.strip()] = value.strip()
        else:
            _add(sentence, line.split("\t"), number)
    if sentence.rows:
        end = "the file ends within a sentence: no empty line follows. If it is not cut short, add an empty line."
        raise DataError(end, file=file, line=number)
    if sentence.comments:
        raise DataError("the file ends after comments, without a word. Is it cut short?", file=file, line=number)


def _add(sentence: Sentence, row: list[str], number: int) -> None:
    def refused(message: str) -> DataError:
        return DataError(message, file=sentence.file, line=number)

    if len(row) != len(COLUMNS):
        raise refused(
            f"{len(row)} columns where CoNLL-U has {len(COLUMNS)}, with tabs between: {'  '.join(row)[:80]!r}."
        )
    if empty := [name for name, value in zip(COLUMNS, row, strict=True) if not value.strip()]:
        raise refused(f"column {empty[0]} is empty. Write _ for what is not known.")
    following = len(sentence.rows) + 1
    if _EMPTY_NODE.fullmatch(row[0]):
        return
    if span := _RANGE.fullmatch(row[0]):
        if int(span[1]) != following or int(span[2]) <= int(span[1]):
            raise refused(f"the range {row[0]} stands before word {following}; a range begins with the word after it.")
        return
    if not _WORD.fullmatch(row[0]) or int(row[0]) != following:
        raise refused(f"ID {row[0]!r} where word {following} follows. Words are numbered from 1 in each sentence.")
    sentence.line = sentence.line or number
    sentence.rows.append(row)
    sentence.lines.append(number)
