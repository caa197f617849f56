"""Handlers for SIGINT and SIGTERM."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Interrupted(SystemExit):
    """Raised by `ending` when a signal arrives. `code` is the exit status."""


@contextlib.contextmanager
def handled_by(
    handler: Callable[[int, Any], None], signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[None]:
    """Sends the signals to `handler` inside the `with` block. Does nothing outside of the main thread."""
    before = {number: signal.getsignal(number) for number in signals}
    try:
        for number in before:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            with contextlib.suppress(ValueError):
                signal.signal(number, earlier)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Turns SIGTERM and SIGINT inside the `with` block into an exception, so that `finally` blocks clean up.

    If SIGINT is ignored, as for a shell's background jobs, it stays ignored.

    Raises:
        SystemExit: `Interrupted`, with 128 plus the number of the signal.
    """
    received: list[int] = []

    def end(number: int, frame: Any) -> None:
        received.append(number)
        raise Interrupted(128 + number)

    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    with handled_by(end, [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGINT]):
        try:
            yield
        except Exception:
            if received:  # TensorFlow may replace our exception by an error of its own
                raise Interrupted(128 + received[0]) from None
            raise
