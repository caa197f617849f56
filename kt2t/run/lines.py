"""Reads the lines of a stream in a thread, as they arrive."""

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
PATIENCE = 0.05  # seconds that a block is waited for when there are lines already


class Lines:
    """Lines of UTF-8 text from a stream, without their ends, in chunks of what has arrived.

    A thread reads ahead, at most 4 MB, so that the model does not wait for the stream, nor the stream for the model. A byte
    order mark at the start is skipped. A gzip stream is known by its first bytes.

    Args:
        stream: Bytes: a file, a pipe, a terminal.
        name: What errors call it.
        whole: Whether a chunk waits until it has all the lines that it may have, as is right for a file: chunks then
            depend on the content alone. Otherwise a chunk has what has arrived.
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
        """Returns the next lines, up to a maximum; waits for the first one. Empty at the end of the stream.

        Raises:
            DataError: A line is not UTF-8, holds a NUL or is over 1 MB, or the gzip stream is damaged; raised after the lines
                before it were returned.
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
        """Waits for a block of lines; False if none came in so many seconds."""
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
    """A function that reads what is there, as soon as anything is.

    Raises:
        DataError: The stream is named .gz and is no gzip.
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
    """Bytes that were read already, then the rest of the stream."""

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
