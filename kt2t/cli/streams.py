"""The standard streams of the process, where somebody has closed one of them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed() -> None:
    """Opens the null device in the place of each standard stream that the process was started without (`>&-`).

    Else the next file that is opened would take its number, and every word meant for a person would go into that file.
    """
    for number, (name, mode) in enumerate(_MODES.items()):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                _into_nothing(number)
                setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


def finish() -> str | None:
    """Writes out what stdout still holds; what is wrong where that fails, unless its reader has merely gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_output()
    except (OSError, ValueError) as error:
        give_up_output()
        return f"stdout: {getattr(error, 'strerror', None) or error}."
    return None


def give_up_output() -> None:
    """Sends what is still to come on stdout into nothing, so that Python does not fail on it as it ends."""
    with contextlib.suppress(OSError, ValueError):
        _into_nothing(sys.stdout.fileno())


class Forgiving:
    """A stream whose reader may go: what cannot be written any more is dropped, and the work goes on.

    Args:
        stream: A text stream, such as stderr.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes text, or drops it."""
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Writes out what is held back, or drops it."""
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
