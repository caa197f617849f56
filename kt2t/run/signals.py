"""Handlers for SIGINT and SIGTERM."""

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
    """Counts signals. The first one is obeyed; this decides what the others do.

    A signal within ten seconds of the first is ignored. After ten seconds, the second signal is answered by a warning, and
    the third and every later one ends the process at once, without saving.
    """

    def __init__(self) -> None:
        self._times: list[float] = []

    @property
    def came(self) -> bool:
        """Whether a signal has arrived."""
        return bool(self._times)

    def forget(self) -> None:
        """Resets the count, so that the next signal counts as the first."""
        self._times.clear()

    def ignores(self, number: int) -> bool:
        """Counts a signal and returns whether to ignore it. The third late one ends the process here."""
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


# Of the outermost `ending`; a signal counts once, whatever is under way.
repeats = Repeats()


def _tell(text: str) -> None:
    """Writes to stderr without Python's buffers, in whose middle the signal may have come."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())


class Interrupted(SystemExit):
    """Raised by `ending` when a signal arrives. `code` is the exit status."""


@contextlib.contextmanager
def handled_by(
    handler: Callable[[int, Any], None],
    signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM),
    stays: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Sends the signals to `handler` inside the `with` block. Does nothing outside of the main thread.

    Args:
        stays: Called at the end of the block. If it returns True, `handler` stays in place; otherwise the earlier handlers
            come back.
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
    """Turns SIGTERM and SIGINT inside the `with` block into an exception, so that `finally` blocks clean up.

    Only the first signal raises it; see `Repeats` for the others. If SIGINT is ignored, as for a shell's background jobs,
    it stays ignored.

    Args:
        for_good: Whether the process ends after the block. Repeated signals are then ignored until it has ended.

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
