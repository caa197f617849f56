"""What a piece of work costs, however busy the machine is: its own processor time, and the memory of its own process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

# A process's own peak: what `getrusage` says of a child includes what its parent held when it was started.
PEAK = "\nprint('peak:', next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    """Processor seconds of this thread in the quickest of a few calls: a processor that is shared is slower at times."""
    return min(_spent(time.thread_time, work) for _ in range(times))


def child_seconds(work: Callable[[], Any]) -> float:
    """Processor seconds of the processes that a call starts and waits for."""
    return _spent(_children, work)


def peak(work: Callable[[], Any]) -> int:
    """Bytes that a call holds at its worst, beyond those held before: what Python and NumPy ask for, not what C does."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def peak_of_process(code: str, said: str = "") -> int:
    """Bytes that a Python process of its own holds at its worst when it runs this code and reads this from its input."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code + PEAK]
    done = subprocess.run(command, env=environment, input=said, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return 1024 * int(done.stdout.rpartition("peak: ")[2])


def _spent(clock: Callable[[], float], work: Callable[[], Any]) -> float:
    before = clock()
    work()
    return clock() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
