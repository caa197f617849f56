"""Reads whole documents for `kt2t predict --documents`: each input stream is one text of several lines."""

from __future__ import annotations

import gzip
import zlib
from typing import IO

from kt2t.data.sources.lines import GZIP, text_of
from kt2t.errors import DataError

BETWEEN = "\f"  # the line between two answers of several lines


def read_document(stream: IO[bytes], name: str) -> str:
    """Reads a stream of UTF-8 text to its end, unpacks it if it is gzip, and returns it as one text.

    Every line end becomes a line feed.

    Args:
        stream: The bytes of the document, plain or gzip.
        name: Name of the stream in error messages.

    Raises:
        DataError: The gzip data is damaged, or a line is not UTF-8 or contains a NUL; the message names the line.
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
