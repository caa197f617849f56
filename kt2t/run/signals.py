"""SIGINT and SIGTERM while something runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Interrupted(SystemExit):
    """A signal that came where nothing has an answer of its own to it; `code` is the exit status."""


@contextlib.contextmanager
def handled_by(
    handler: Callable[[int, Any], None], signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[None]:
    """The signals go to `handler`, and afterwards again where they went before; outside of the main thread nothing changes."""
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
    """SIGTERM and SIGINT leave whatever is under way by an exception, so that everything is tidied up on the way out.

    A SIGINT that is ignored, as in a shell's background, stays so.

    Raises:
        SystemExit: `Interrupted`, with 128 and the number of the signal.
    """
    came: list[int] = []

    def end(number: int, frame: Any) -> None:
        came.append(number)
        raise Interrupted(128 + number)

    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    with handled_by(end, [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGINT]):
        try:
            yield
        except Exception:
            if came:  # TensorFlow's code puts an error of its own in the place of what comes while it makes one
                raise Interrupted(128 + came[0]) from None
            raise
