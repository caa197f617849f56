"""Starts the worker processes of a run on this machine, and restarts all of them when one dies."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kt2t.errors import PeerError
from kt2t.options import positive
from kt2t.run.signals import handled_by

logger = logging.getLogger("kt2t")
_LAUNCHER = "KT2T_LAUNCHER"
GRACE = 30.0  # seconds for the other workers to notice that one has died, or to save after a signal


def launch(
    words: Sequence[str], workers: int, run_dir: Path, restarts: int = 3, command: Sequence[str] | None = None
) -> int:
    """Trains with several worker processes until all have finished. If one dies, all restart from the last checkpoint.

    The output of worker 0 is shown. The output of the others is written to `workers/` in the run folder.

    Args:
        words: The words of the command, `train` and its arguments.
        workers: Number of processes.
        run_dir: The run folder, which all workers share.
        restarts: Maximum number of restarts in a row without a new checkpoint.
        command: The program and its first arguments. Default: `python -m kt2t` with this Python.

    Returns:
        The workers' exit status: 0, the status of a user's error, or 128 plus the number of a signal.

    Raises:
        ValueError: `workers` is not positive.
        ConnectionError: Workers died more than `restarts` times in a row without a new checkpoint (exit status 7).
    """
    positive("workers", workers)
    command = command or [sys.executable, "-m", "kt2t"]
    failures, last = 0, None
    stopped: list[int] = []
    with handled_by(lambda number, frame: stopped.append(number)):
        while True:
            status = _together([*command, *words], workers, run_dir, stopped)
            if status is not None:
                return status
            newest = _newest(run_dir)
            failures, last = (1 if newest != last else failures + 1), newest
            if failures > restarts:
                raise PeerError(f"a worker died {failures} times without a new checkpoint. See {run_dir / 'workers'}.")
            logger.warning("a worker died; all start again from %s.", newest or "the beginning")


def end_with_launcher(every: float = 1.0) -> None:
    """Starts a thread that sends this worker SIGTERM when its parent process, `kt2t launch`, has ended.

    The worker then saves and stops; nothing else would end it. Does nothing in a process that `kt2t launch` did not
    start.

    Args:
        every: Seconds between two checks of the parent process.
    """
    launcher = os.environ.get(_LAUNCHER)

    def watch() -> None:
        while str(os.getppid()) == launcher:
            time.sleep(every)
        logger.warning("kt2t launch is gone, so its workers stop.")
        os.kill(os.getpid(), signal.SIGTERM)

    if launcher is not None:
        threading.Thread(target=watch, name="launcher", daemon=True).start()


def _together(command: Sequence[str], workers: int, run_dir: Path, stopped: list[int]) -> int | None:
    """Starts all workers and waits for them. Returns their exit status, or None if they should be restarted."""
    addresses = _free_addresses(workers)
    with contextlib.ExitStack() as stack:
        running = []
        for worker in range(workers):
            log = None if worker == 0 else stack.enter_context(_log_of(run_dir, worker))
            running.append(_start(command, addresses, worker, log))
        stack.callback(_end, running)
        while any(process.poll() is None for process in running):
            if stopped:
                return _forwarded(running, stopped[0])
            if any(process.poll() for process in running):
                _wait(running, GRACE)
                break
            time.sleep(0.1)
        return _verdict([process.returncode for process in running], stopped)


def _verdict(found: Sequence[int | None], stopped: Sequence[int]) -> int | None:
    if not any(found) and None not in found:
        return 0
    stopping = [128 + number for number in (signal.SIGTERM, signal.SIGINT)]
    own = [status for status in found if status is not None and status > 0 and status != PeerError.status]
    if own and (stopped or set(own) <= set(stopping)):
        return own[0]
    mistakes = [status for status in own if status not in stopping]
    return mistakes[0] if mistakes else None


def _start(command: Sequence[str], addresses: Sequence[str], worker: int, log: int | None) -> subprocess.Popen[bytes]:
    variables = environment(addresses, worker, os.getpid())
    # In a session of its own: Ctrl-C reaches only this process, which passes it on to each worker once.
    return subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def environment(addresses: Sequence[str], worker: int, launcher: int) -> dict[str, str]:
    """Returns the environment variables for a worker process: this process's own, and those that describe the worker.

    `TF_CONFIG` holds the workers' addresses and the worker's index. TensorFlow's threads are limited to the worker's
    share of the processors, unless the environment sets their number.

    Args:
        addresses: The `host:port` of every worker.
        worker: Index of the worker, from 0.
        launcher: Process id of `kt2t launch`, which the worker watches.
    """
    task = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": worker}}
    threads = str(max(1, (os.cpu_count() or 1) // len(addresses)))
    variables = {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads, **os.environ}
    return {**variables, "TF_CONFIG": json.dumps(task), _LAUNCHER: str(launcher)}


def _free_addresses(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


@contextlib.contextmanager
def _log_of(run_dir: Path, worker: int) -> Iterator[int]:
    folder = run_dir / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"worker-{worker}.log", "ab") as file:
        yield file.fileno()


def _forwarded(running: Sequence[subprocess.Popen[bytes]], number: int) -> int:
    for process in running:
        if process.poll() is None:
            process.send_signal(number)
    _wait(running, GRACE)
    return next((p.returncode for p in running if p.returncode and p.returncode > 0), 128 + number)


def _wait(running: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    end = time.monotonic() + seconds
    while any(process.poll() is None for process in running) and time.monotonic() < end:
        time.sleep(0.1)


def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def _newest(run_dir: Path) -> str | None:
    from kt2t.training.checkpoints import saved

    found = saved(run_dir / "checkpoints")
    return found[-1].name if found else None
