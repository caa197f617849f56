"""Handles standard streams that are closed or whose reader is gone."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed() -> None:
    """Opens the null device for each standard stream that was closed before the process started (`kt2t … >&-`).

    Otherwise the next opened file would get the closed stream's number, and messages would be written into that file.
    """
    for number, (name, mode) in enumerate(_MODES.items()):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                _into_nothing(number)
                setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


def finish() -> str | None:
    """Flushes stdout. Returns an error message if that fails, but None if only the reader of stdout is gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_output()
    except (OSError, ValueError) as error:
        give_up_output()
        return f"stdout: {getattr(error, 'strerror', None) or error}."
    return None


def give_up_output() -> None:
    """Redirects stdout to the null device, so that Python's flush of stdout at exit does not fail."""
    with contextlib.suppress(OSError, ValueError):
        _into_nothing(sys.stdout.fileno())


class Forgiving:
    """A wrapper of a text stream that drops output once the stream's reader is gone, so that the program continues.

    Args:
        stream: A text stream, such as stderr.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes text, or drops it if the stream's reader is gone; returns the number of characters in either case."""
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream, or drops the buffered text if the reader is gone."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            with contextlib.suppress(OSError, ValueError):
                _into_nothing(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _into_nothing(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
