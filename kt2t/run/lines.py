"""Reads the lines of a stream in a thread while the model answers earlier lines."""

from __future__ import annotations

import gzip
import io
import queue
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from kt2t.data.sources.lines import GZIP, LONGEST, text_of
from kt2t.errors import DataError

BLOCK = 1 << 16  # bytes that are read at a time
AHEAD = 64  # blocks that are read ahead of the model
PATIENCE = 0.05  # seconds to wait for more lines if there are some already


class Lines:
    """A reader of UTF-8 lines from a stream, plain or gzip, that returns them in chunks without their line ends.

    A thread reads ahead, at most 4 MB, so that neither the model nor the program that writes the stream has to wait. A
    byte order mark at the start is skipped. Gzip is recognised by its first bytes.

    Args:
        stream: The bytes of a file, a pipe or a terminal.
        name: Name of the stream in error messages.
        whole: Whether a chunk waits until it is full or the stream ends. Use it for files, so that chunks depend on the
            content alone. Otherwise a chunk holds the lines that have arrived.
    """

    def __init__(self, stream: IO[bytes], name: str, whole: bool = False) -> None:
        self.name = name
        self.whole = whole
        self._stream = stream
        self._ready: queue.Queue[Any] = queue.Queue(AHEAD)
        self._waiting: deque[bytes] = deque()
        self._number = 0
        self._ended: BaseException | None = None
        self._thread: threading.Thread | None = None

    def chunk(self, most: int) -> list[str]:
        """Returns the next lines, at most `most`, and waits for the first; returns an empty list at the end of the stream.

        Raises:
            DataError: A line is not UTF-8, contains a NUL or is over 1 MB, or the gzip stream is damaged. All lines
                before the error are returned first.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._read_ahead, name="kt2t lines", daemon=True)
            self._thread.start()
        while self._ended is None and len(self._waiting) < most:
            if not self._take(None if self.whole or not self._waiting else PATIENCE):
                break
        found: list[str] = []
        while self._waiting and len(found) < most:
            try:
                found.append(text_of(self._waiting[0], self.name, self._number + 1))
            except DataError:
                if found:
                    return found
                raise
            self._number += 1
            self._waiting.popleft()
        if not found and isinstance(self._ended, DataError):
            raise self._ended
        return found

    def _take(self, seconds: float | None) -> bool:
        """Waits for a block of lines, at most `seconds` (None: without limit); returns False if none came in time."""
        try:
            item = self._ready.get(timeout=seconds)
        except queue.Empty:
            return False
        if isinstance(item, BaseException):
            self._ended = item
        else:
            self._waiting += item
        return True

    def _read_ahead(self) -> None:
        end: BaseException = EOFError()
        try:
            for lines in self._blocks():
                self._ready.put(lines)
        except DataError as error:
            end = error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            end = DataError(f"'{self.name}' is a damaged gzip file: {error}")
        except OSError as error:
            end = DataError(f"'{self.name}' cannot be read: {error.strerror or error}.")
        except Exception as error:
            end = DataError(f"'{self.name}' cannot be read: {error}.")
        self._ready.put(end)

    def _blocks(self) -> Iterator[list[bytes]]:
        read = _reader(self._stream, self.name)
        rest = b""
        while more := read(BLOCK):
            *lines, rest = (rest + more).split(b"\n")
            if lines:
                yield lines
            if len(rest) > LONGEST + 2:
                break  # `text_of` refuses it
        if rest:
            yield [rest]


def _reader(stream: IO[bytes], name: str) -> Any:
    """Returns a function (size) → bytes that reads the bytes that have arrived, unpacked if the stream is gzip.

    Raises:
        DataError: The name ends in .gz, but the stream is not gzip.
    """
    # A thread that waits within a buffered reader when the interpreter ends would abort it; within a raw one it does not.
    raw: Any = getattr(stream, "raw", stream)
    first = b""
    while first in (b"", GZIP[:1]) and (more := raw.read(BLOCK)):
        first += more
    if first.startswith(GZIP):
        unpacked: Any = gzip.GzipFile(fileobj=io.BufferedReader(_Joined(first, raw)))
        return unpacked.read1
    if name.endswith(".gz") and first:
        raise DataError(f"'{name}' is named .gz but is no gzip file. Rename it, or compress it.")
    waiting = [first] if first else []
    return lambda size: waiting.pop() if waiting else raw.read(size)


class _Joined(io.RawIOBase):
    """A raw stream of bytes that were already read, followed by the rest of the original stream."""

    def __init__(self, first: bytes, stream: Any) -> None:
        self._first = first
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._first[: len(buffer)] or self._stream.read(len(buffer)) or b""
        self._first = self._first[len(data) :] if self._first else b""
        buffer[: len(data)] = data
        return len(data)
