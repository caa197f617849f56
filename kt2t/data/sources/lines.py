"""Reads lines of text files, plain or gzip. Every error names file and line."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError

LONGEST = 1_000_000
_BLOCK = 1 << 16
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def lines(path: str | Path) -> Iterator[str]:
    """Yields the lines of a UTF-8 file, without their line ends (LF or CR LF).

    Gzip files are recognised by their first bytes. A byte order mark at the start is skipped.

    Raises:
        DataError: The file is missing, no regular file, empty or a damaged gzip, or a line is not UTF-8, contains a NUL or is
            longer than 1 MB. The message names file and line.
    """
    path = Path(path)
    number = 0
    try:
        with _opened(path) as file:
            for block in _blocks(file):
                for text in _texts_of(block, str(path), number + 1):
                    number += 1
                    yield text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"'{path}' is a damaged gzip file, readable up to line {number}: {error}") from error
    except FileNotFoundError:
        raise DataError(f"'{path}' does not exist.") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    if not number:
        raise DataError(f"'{path}' is empty.")


def _opened(path: Path) -> IO[bytes]:
    require_regular(path)
    file = open(path, "rb")
    if file.peek(2)[:2] == _GZIP:
        file.close()
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.suffix == ".gz" and file.peek(1):
        file.close()
        raise DataError(f"'{path}' is named .gz but is not a gzip file. Rename it, or compress it.")
    return file


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Reads a file in blocks that end at the end of a line. A line that is too long is yielded cut."""
    rest = b""
    while more := file.read1(_BLOCK):  # type: ignore[attr-defined]
        whole, end, begun = more.rpartition(b"\n")
        if end:
            yield rest + whole + end
            rest = begun
        else:
            rest += begun
            if len(rest) > LONGEST + 2:
                yield rest
                return
    if rest:
        yield rest


def _texts_of(block: bytes, file: str, first: int) -> Iterable[str]:
    """Decodes the lines of a block: all at once if they are valid, otherwise one by one, up to the invalid line."""
    raw = block.removesuffix(b"\n")
    if b"\0" not in raw and len(raw) <= LONGEST and (first > 1 or not raw.startswith(_BOM)):
        with contextlib.suppress(UnicodeDecodeError):
            texts = raw.decode("utf-8").split("\n")
            return [text.removesuffix("\r") for text in texts] if b"\r" in raw else texts
    return (text_of(line, file, number) for number, line in enumerate(raw.split(b"\n"), first))


def text_of(raw: bytes, file: str, number: int) -> str:
    """Decodes a line, without its line end and, for the first line, without a byte order mark.

    Args:
        raw: The bytes of the line.
        file: The file, for error messages.
        number: The line's number, from 1.

    Raises:
        DataError: The line is not UTF-8, contains a NUL or is longer than 1 MB.
    """
    if number == 1:
        raw = raw.removeprefix(_BOM)
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > LONGEST:
        raise DataError(f"a line is longer than {LONGEST:,} bytes. Is this a text file?", file=file, line=number)
    if b"\0" in raw:
        place = raw.index(b"\0") + 1
        raise DataError(f"byte {place} is NUL. Is this UTF-8 text?", file=file, line=number)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start + 1} (0x{raw[error.start]:02x}) is not UTF-8. Convert the file to UTF-8.",
            file=file,
            line=number,
        ) from None
