"""Handles SIGINT and SIGTERM: the first one stops the work cleanly; repeated ones are ignored or end the process."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

REPEATED_WITHIN = 10.0  # seconds: schedulers and impatient fingers send the same signal several times
ENDS_AT_ONCE = 3  # from the third signal on, the process may end without saving


class Repeats:
    """Counts the signals that a process receives, and decides which of them to ignore. The first one is never ignored.

    Every signal within ten seconds of the first is ignored. A later one prints a warning if it is the second signal. If
    it is the third or a further one, it ends the process at once, without saving.
    """

    def __init__(self) -> None:
        self._times: list[float] = []

    @property
    def came(self) -> bool:
        """Whether a signal has arrived since the start or the last `forget`."""
        return bool(self._times)

    def forget(self) -> None:
        """Resets the count, so that the next signal counts as the first."""
        self._times.clear()

    def ignores(self, number: int) -> bool:
        """Counts a signal and returns whether to ignore it: False for the first signal, True for others.

        Ends the process with status 128 plus `number` at the third or a further signal, if the first is over ten
        seconds old.
        """
        self._times.append(time.monotonic())
        if len(self._times) == 1:
            return False
        if self._times[-1] - self._times[0] > REPEATED_WITHIN:
            if len(self._times) >= ENDS_AT_ONCE:
                name = signal.Signals(number).name
                _tell(f"kt2t: ended at once by {name}; what was trained since the last checkpoint is lost.")
                os._exit(128 + number)
            _tell("kt2t: saving already; one more signal ends this at once, without saving.")
        return True


# Shared by all handlers of the process, so that each signal counts once.
repeats = Repeats()


def _tell(text: str) -> None:
    """Writes to stderr without Python's buffers, which the signal may have interrupted in the middle of a write."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())


class Interrupted(SystemExit):
    """Exception that `ending` raises when a signal arrives. Its `code` (exit status) is 128 plus the signal's number."""


@contextlib.contextmanager
def handled_by(
    handler: Callable[[int, Any], None],
    signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM),
    stays: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Installs `handler` for the signals inside the `with` block. Does nothing outside of the main thread.

    Args:
        handler: Function (signal's number, stack frame).
        signals: Numbers of the signals.
        stays: Called at the end of the block. If it returns True, `handler` stays installed; otherwise the earlier
            handlers are restored.
    """
    before = {number: signal.getsignal(number) for number in signals}
    try:
        for number in before:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(number, handler)
        yield
    finally:
        for number, earlier in () if stays() else before.items():
            with contextlib.suppress(ValueError):
                signal.signal(number, earlier)


@contextlib.contextmanager
def ending(for_good: bool = False) -> Iterator[None]:
    """Raises `Interrupted` in the `with` block when SIGTERM or SIGINT arrives, so that `finally` blocks clean up.

    Only the first signal raises; see `Repeats` for the others. If SIGINT is ignored, as for a shell's background jobs,
    it stays ignored.

    Args:
        for_good: Whether the process ends after the block. The handlers then stay installed after a signal, so that a
            repeated signal does not break the end of the process.

    Raises:
        SystemExit: `Interrupted`, with 128 plus the number of the signal.
    """
    received: list[int] = []
    repeats.forget()

    def end(number: int, frame: Any) -> None:
        if repeats.ignores(number):
            return
        received.append(number)
        raise Interrupted(128 + number)

    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signals = [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGINT]
    with handled_by(end, signals, stays=lambda: for_good and repeats.came):
        try:
            yield
        except Exception:
            if received:  # TensorFlow may replace our exception by an error of its own
                raise Interrupted(128 + received[0]) from None
            raise
