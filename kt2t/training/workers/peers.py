"""Connects the processes (workers) that train one model, so that each notices when another has ended or is frozen."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from kt2t.errors import PeerError

PATIENCE = 300.0  # seconds that workers wait for each other at the start
NOTICE = 3.0  # seconds that a process has to end by itself after a worker was lost
BEAT = 0.5  # seconds between two heartbeats
SILENCE = 6.0  # seconds without a heartbeat after which a worker is lost
_BEAT, _FAREWELL = b"~", b"."
_last_word = threading.Lock()
_watched: list[Peers] = []
_THREAD = "kt2t peers"
_ADVICE = "Start all workers again: they continue from the last checkpoint."


class Peers:
    """Connections of this worker process to all others, over which they exchange heartbeats and farewells.

    A connection closes when the process at its other end ends, so the loss of a worker shows at once. TensorFlow's own
    heartbeat takes more than ten seconds for this. A process that is frozen or cut off from the network keeps its
    connection, so each worker also sends a heartbeat every half second. A worker that is silent for six seconds is
    lost. The others then have four seconds to end, so that all end within ten.

    A Python thread sends the heartbeats. TensorFlow releases Python's lock while it runs a step, compiles or waits, so
    single calls delay the thread only by a fraction of a second (0.2 s for a Transformer of 12 layers, 2026-11-26). The
    listener counts only the time in which it was awake itself, so no worker is lost when the whole machine pauses.

    Args:
        calling: Connections on which this worker sends, by the address of the other worker.
        hearing: Connections on which the other workers send, by their address.
    """

    def __init__(self, calling: Mapping[str, socket.socket], hearing: Mapping[str, socket.socket]) -> None:
        self._calling = dict(calling)
        self._hearing = {connection: address for address, connection in hearing.items()}
        self._through: set[socket.socket] = set()  # connections on which a farewell came
        self._parted: list[socket.socket] = []  # stay open until this process ends, which the others notice

    def watch(self, lost: Callable[[str, float], None]) -> None:
        """Starts threads that send heartbeats, and that call `lost` for the first worker that ends or falls silent.

        Args:
            lost: Function (worker's address, seconds of its silence). The seconds are 0 if it ended without a farewell.
        """
        _watched.append(self)
        atexit.register(self.part)
        threading.Thread(target=self._speak, name=f"{_THREAD}: speaking", daemon=True).start()
        threading.Thread(target=self._listen, args=(lost,), name=_THREAD, daemon=True).start()

    def part(self) -> None:
        """Sends the other workers a farewell, so that they do not treat this worker's end as a loss; not after an error."""
        while self._calling and not hasattr(sys, "last_value"):
            _, connection = self._calling.popitem()
            self._parted.append(connection)
            with contextlib.suppress(OSError):
                connection.sendall(_FAREWELL)

    def await_farewells(self, patience: float = NOTICE) -> None:
        """Waits until all other workers have sent a farewell, for at most `patience` seconds."""
        _await(lambda: self._through.issuperset(self._hearing), patience)

    def await_ends(self, patience: float = NOTICE) -> None:
        """Waits until all other workers' processes have ended, for at most `patience` seconds."""
        _await(lambda: not self._hearing, patience)

    def _speak(self) -> None:
        while self._calling:
            for connection in list(self._calling.values()):
                with contextlib.suppress(OSError):
                    connection.sendall(_BEAT)
            time.sleep(BEAT)

    def _listen(self, lost: Callable[[str, float], None]) -> None:
        silent: dict[socket.socket, float] = {}  # seconds of silence, counted from the first heartbeat on
        while self._hearing:
            began = time.monotonic()
            ready = select.select(list(self._hearing), [], [], BEAT)[0]
            waited = min(time.monotonic() - began, 2 * BEAT)
            silent = {connection: seconds + waited for connection, seconds in silent.items()}
            for connection in ready:
                received = _received(connection)
                if _FAREWELL in received:
                    self._through.add(connection)
                if received and connection not in self._through:
                    silent[connection] = 0.0
                    continue
                silent.pop(connection, None)
                if received:
                    continue
                address = self._hearing.pop(connection)
                connection.close()
                if connection not in self._through:
                    return lost(address, 0.0)
            late = max(silent, key=lambda connection: silent[connection], default=None)
            if late is not None and silent[late] > SILENCE:
                return lost(self._hearing[late], silent[late])


def meet(own: str, everyone: Sequence[str], patience: float = PATIENCE) -> Peers:
    """Connects this worker process with all others, and returns their `Peers` when every pair is connected.

    Args:
        own: This worker's `host:port`, on which it accepts connections. The port is free again when this function
            returns.
        everyone: The addresses of all workers.
        patience: Maximum number of seconds to wait.

    Raises:
        ConnectionError: Another worker did not connect in time, or this worker's own address is in use.
    """
    others = [address for address in everyone if address != own]
    calling: dict[str, socket.socket] = {}
    hearing: dict[str, socket.socket] = {}
    end = time.monotonic() + patience
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("", int(own.rsplit(":", 1)[1])))
        except OSError as error:
            raise PeerError(f"this worker's address {own!r} cannot be used: {error.strerror}.") from None
        door.listen(len(everyone) + 8)
        door.settimeout(0.1)
        while len(calling) < len(others) or len(hearing) < len(others):
            for address in others:
                if address not in calling and (call := _called(address, own)) is not None:
                    calling[address] = call
            _hear(door, others, hearing)
            if time.monotonic() > end:
                late = ", ".join([one for one in others if one not in calling or one not in hearing])
                raise PeerError(
                    f"the workers {late} did not come within {patience:g} seconds. Start all workers again."
                )
    return Peers(calling, hearing)


def gone(address: str = "", silent: float = 0.0) -> PeerError:
    """Returns the error for a worker that has ended or, if `silent` is not 0, has sent no heartbeat for that many seconds.

    Args:
        address: The worker's `host:port`; '' if it is unknown.
        silent: Seconds without a heartbeat.
    """
    what = f"has given no sign of life for {int(silent)} seconds" if silent else "is gone"
    return PeerError(f"another worker {f'({address}) ' if address else ''}{what}. {_ADVICE}")


def end_without(address: str, silent: float = 0.0) -> None:
    """Ends this process after another worker was lost, with an error message and status 7.

    First waits a moment, in which TensorFlow may end it with an error of its own. TensorFlow notices the end of a
    worker, but not its silence.

    Args:
        address: The lost worker's `host:port`.
        silent: Seconds since its last heartbeat; 0 if it has ended.
    """
    time.sleep(max(0.0, NOTICE - silent))
    if has_last_word():
        sys.stderr.write(f"kt2t: {gone(address, silent)}\n")
        leave(PeerError.status)


def has_last_word() -> bool:
    """Whether the caller may report why this process ends: True for the first call in the process, then False.

    TensorFlow and the listening thread often notice a lost worker at the same moment; one of them should report it.
    Always True while no other workers are watched.
    """
    return not are_watched() or _last_word.acquire(blocking=False)


def has_watched() -> bool:
    """Whether this process has ever started to watch other workers; never reset to False."""
    return bool(_watched)


def part(last: bool) -> None:
    """Says farewell to the other workers at the end of training, and waits until all have; then each may end with `leave`.

    A collective operation may be finished in this process while another worker still needs data from it.

    Args:
        last: Whether this worker serves the others and must therefore end last.
    """
    for peers in _watched:
        peers.part()
        peers.await_farewells()
        if last:
            peers.await_ends()


def are_watched() -> bool:
    """Whether this process is watching other workers at the moment, i.e. its listening thread runs."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def leave(status: int) -> None:
    """Ends this process at once with an exit status, after flushing its output.

    With a normal exit TensorFlow would wait several seconds for the other workers.
    """
    logging.shutdown()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _await(is_so: Callable[[], bool], patience: float) -> None:
    end = time.monotonic() + patience
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)


def _received(connection: socket.socket) -> bytes:
    """Returns the bytes that have arrived; empty if the other process has ended."""
    try:
        return connection.recv(64)
    except OSError:
        return b""


def _called(address: str, own: str) -> socket.socket | None:
    host, port = address.rsplit(":", 1)
    try:
        call = socket.create_connection((host, int(port)), timeout=1)
    except OSError:
        return None
    try:
        call.sendall(own.encode() + b"\n")
    except OSError:
        call.close()
        return None
    return call


def _hear(door: socket.socket, others: Sequence[str], hearing: dict[str, socket.socket]) -> None:
    with contextlib.suppress(TimeoutError, ConnectionError):
        caller, _ = door.accept()
        caller.settimeout(1)
        try:
            name = caller.makefile("rb", buffering=0).readline(256).decode(errors="replace").rstrip("\n")
        except OSError:
            name = ""
        if name not in others or name in hearing:
            caller.close()
            return
        caller.settimeout(None)
        hearing[name] = caller
