"""Reads ahead on a thread of its own, so that whoever iterates does not wait; bounded in items and in bytes."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from kt2t.data.in_order import bytes_of
from kt2t.errors import StalledError

THREAD = "kt2t reader"
MOST_BYTES = 256 * 2**20
_POLL = 0.1  # seconds between two looks at whether anybody still reads

T = TypeVar("T")


def read_ahead(
    source: Callable[[], Generator[T, None, None]], depth: int, patience: float, most_bytes: int = MOST_BYTES
) -> Iterator[T]:
    """Runs the generator `source()` on another thread and yields its items, a bounded number of them ahead.

    The thread ends with the iterator. An error of the source is raised in its place.

    Args:
        source: Makes the generator; called on that thread.
        depth: Maximum number of items that wait to be taken.
        patience: Seconds to wait for an item.
        most_bytes: The most bytes of all items that wait; a larger item waits alone.

    Raises:
        StalledError: No item came in time; the stack of every thread is on stderr.
    """
    ready = _Ready(depth, most_bytes)
    thread = threading.Thread(target=_fill, args=(source, ready), name=THREAD, daemon=True)
    thread.start()
    # A thread that is inside compiled code when the interpreter ends would abort the process.
    end = functools.partial(_end, ready, thread)
    atexit.register(end)
    try:
        while (item := ready.take(patience)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ready.stop.set()  # without waiting: this may run while the interpreter ends, when threads no longer do
        atexit.unregister(end)


class _Ready:
    """Items that wait to be taken; None after the last."""

    def __init__(self, depth: int, most_bytes: int) -> None:
        self.stop = threading.Event()
        self._items: deque[tuple[Any, int]] = deque()
        self._depth, self._most_bytes, self._bytes = depth, most_bytes, 0
        self._changed = threading.Condition()

    def put(self, item: Any) -> bool:
        """Waits for room; False when nobody will take any more."""
        size = bytes_of(item)
        with self._changed:
            while not self.stop.is_set():
                room = len(self._items) < self._depth and self._bytes + size <= self._most_bytes
                if room or not self._items:
                    self._items.append((item, size))
                    self._bytes += size
                    self._changed.notify_all()
                    return True
                self._changed.wait(_POLL)
        return False

    def take(self, patience: float) -> Any:
        """The next item, or an error that ends the waiting, with the stack of every thread, which shows what it waits for."""
        limit = time.monotonic() + patience
        with self._changed:
            while not self._items:
                left = limit - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            else:
                item, size = self._items.popleft()
                self._bytes -= size
                self._changed.notify_all()
                return item
        faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
        return StalledError(
            f"no batch came for {patience:g} seconds; the thread '{THREAD}' waits where its stack, above, ends. See "
            "whether the disk or the network of the prepared data answers, then start again: training continues."
        )

    def end(self) -> None:
        """Ends the wait of whoever waits for an item."""
        with self._changed:
            if not self._items:
                self._items.append((None, 0))
                self._changed.notify_all()


def _fill(source: Callable[[], Generator[Any, None, None]], ready: _Ready) -> None:
    try:
        with contextlib.closing(source()) as items:
            for item in items:
                if not ready.put(item):
                    return
        ready.put(None)
    except BaseException as error:
        ready.put(error)


def _end(ready: _Ready, thread: threading.Thread) -> None:
    """Ends a reading thread, and the wait of whoever waits for it."""
    ready.stop.set()
    thread.join()
    ready.end()
