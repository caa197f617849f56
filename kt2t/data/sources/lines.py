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
GZIP = b"\x1f\x8b"  # how a gzip file begins
_BOM = b"\xef\xbb\xbf"


def lines(path: str | Path) -> Iterator[str]:
    """Yields the lines of a UTF-8 file without their ends.

    A line ends with a line feed, with or without carriage returns before it. In a file without line feeds (none in the
    first megabyte) a carriage return ends a line, too. A gzip file is recognised by its first bytes. Byte-order marks are
    removed from the start of every line: `cat` leaves them inside a file.

    Raises:
        DataError: The file is missing, no regular file, empty or a damaged gzip; or a line, which the error names, is no UTF-8,
            holds a NUL or several carriage returns, or is over 1 MB.
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


def whole_bytes(path: str | Path, block: int = _BLOCK) -> Iterator[bytes]:
    """Yields the bytes of a file in blocks; a gzip file is unpacked.

    Raises:
        DataError: The file is missing, no regular file, or a damaged gzip.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            while more := file.read(block):
                yield more
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"'{path}' is a damaged gzip file: {error}") from error
    except FileNotFoundError:
        raise DataError(f"'{path}' does not exist.") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _opened(path: Path) -> IO[bytes]:
    require_regular(path)
    file = open(path, "rb")
    if file.peek(2)[:2] == GZIP:
        file.close()
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.suffix == ".gz" and file.peek(1):
        file.close()
        raise DataError(f"'{path}' is named .gz but is not a gzip file. Rename it, or compress it.")
    return file


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file in blocks that end where a line ends, or within a line longer than may be."""
    rest, fed = b"", False
    while more := file.read1(_BLOCK):  # type: ignore[attr-defined]
        whole, end, begun = more.rpartition(b"\n")
        if end:
            yield rest + whole + end
            rest, fed = begun, True
            continue
        rest += begun
        if len(rest) > LONGEST + 2:
            if not fed and b"\r" in rest:
                yield from _ended_by_returns(rest, file)
            else:
                yield rest
            return
    if rest:
        yield rest if fed else _with_feeds(rest)


def _with_feeds(data: bytes) -> bytes:
    """Bytes without any line feed with one in place of each carriage return that ends a line; others as they are."""
    return data if b"\n" in data else data.replace(b"\r", b"\n")


def _ended_by_returns(rest: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """What was read and the rest of a file in blocks as `_blocks` gives them, with line feeds for carriage returns."""
    more = rest
    rest = b""
    while more:
        if more.endswith(b"\r"):
            more += file.read(1)  # a line feed may belong to it
        whole, end, begun = more.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rpartition(b"\n")
        if end:
            yield rest + whole + end
            rest = begun
        else:
            rest += begun
            if len(rest) > LONGEST + 2:
                break
        more = file.read1(_BLOCK)  # type: ignore[attr-defined]
    if rest:
        yield rest


def _texts_of(block: bytes, file: str, first: int) -> Iterable[str]:
    """Decodes the lines of a block: all at once if they are valid, otherwise one by one, up to the invalid line."""
    raw = block.removesuffix(b"\n")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if not any(special in raw for special in (b"\0", b"\r", _BOM)) and len(raw) <= LONGEST:
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode("utf-8").split("\n")
    return (text_of(line, file, number) for number, line in enumerate(raw.split(b"\n"), first))


def text_of(raw: bytes, file: str, number: int) -> str:
    """Decodes a line, without its end and without a byte-order mark at its start.

    One carriage return within a line is text. Several mean that lines of the file end with carriage returns: an error.

    Args:
        raw: The bytes of the line.
        file: The file, for error messages.
        number: The line's number, from 1.

    Raises:
        DataError: It is no UTF-8, holds a NUL or several carriage returns, or is over 1 MB.
    """
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > LONGEST:  # all else counted: the caller has read no further than here
        raise DataError(f"a line is longer than {LONGEST:,} bytes. Is this a text file?", file=file, line=number)
    while raw.startswith(_BOM):
        raw = raw.removeprefix(_BOM)
    raw = raw.rstrip(b"\r")
    if b"\0" in raw:
        place = raw.index(b"\0") + 1
        raise DataError(f"byte {place} is NUL. Is this UTF-8 text?", file=file, line=number)
    if (returns := raw.count(b"\r")) > 1:
        raise DataError(
            f"{returns:,} carriage returns stand within the line: some lines of this file end with a carriage return alone. "
            "Make each a line feed: sed 's/\\r$//' FILE | tr '\\r' '\\n' > NEW.",
            file=file,
            line=number,
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start + 1} (0x{raw[error.start]:02x}) is not UTF-8. Convert the file to UTF-8.",
            file=file,
            line=number,
        ) from None
