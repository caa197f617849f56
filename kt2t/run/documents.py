"""Reads whole documents for `predict`: one text of many lines from each stream."""

from __future__ import annotations

import gzip
import zlib
from typing import IO

from kt2t.data.sources.lines import GZIP, text_of
from kt2t.errors import DataError

BETWEEN = "\f"  # a line of its own between two answers of many lines


def read_document(stream: IO[bytes], name: str) -> str:
    """Returns the text of a stream, plain or gzip, with its lines; line ends of other systems become line feeds.

    Args:
        stream: Bytes of UTF-8.
        name: How errors name it.

    Raises:
        DataError: It is a damaged gzip, no UTF-8, or holds a NUL. The message names the line.
    """
    data = stream.read()
    if data.startswith(GZIP):
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"'{name}' is a damaged gzip file: {error}") from error
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return "\n".join(text_of(line, name, number) for number, line in enumerate(data.split(b"\n"), 1))
