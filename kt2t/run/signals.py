"""SIGINT and SIGTERM while something runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def handled_by(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Both signals go to `handler`, and afterwards again where they went before; outside of the main thread nothing changes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            with contextlib.suppress(ValueError):
                signal.signal(number, earlier)
