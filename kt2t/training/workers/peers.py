"""How the processes that train one model meet, and how each notices soon that another is gone or stands still."""

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
NOTICE = 3.0  # seconds that a program has to end by itself once a worker is gone
BEAT = 0.5  # seconds between two signs of life
SILENCE = 6.0  # seconds without one after which a worker is lost
_BEAT, _FAREWELL = b"~", b"."
_last_word = threading.Lock()
_met: list[Peers] = []
_THREAD = "kt2t peers"
_ADVICE = "Start all workers again: they continue from the last checkpoint."


class Peers:
    """The other workers, each at the other end of a connection that lasts as long as its process.

    TensorFlow's own heartbeat takes more than ten seconds to miss a process that was killed. A connection tells at once. Of
    a process that is frozen, or cut off from the network, it tells nothing: each worker says every half a second that it
    lives, and one that says nothing for six seconds is lost, which leaves four of the ten in which all must have ended.

    A thread of Python speaks. TensorFlow lets go of Python's lock while it runs a step, compiles or waits for others, so only
    single calls hold the thread up, a fraction of a second each (0.2 s for a Transformer of 12 layers, 2026-11-26).
    Only time in which the listener itself was awake is counted, so a machine that stands still as a whole loses nobody.

    Args:
        calling: By the address of each other worker, the connection on which this one is heard.
        hearing: Those on which the others are heard.
    """

    def __init__(self, calling: Mapping[str, socket.socket], hearing: Mapping[str, socket.socket]) -> None:
        self._calling = dict(calling)
        self._hearing = {connection: address for address, connection in hearing.items()}
        self._through: set[socket.socket] = set()  # those of the hearing on which a farewell came
        self._parted: list[socket.socket] = []  # open until this process ends, which the others hear

    def watch(self, lost: Callable[[str, float], None]) -> None:
        """From now on a thread tells `lost` of the first worker that ends without a farewell or falls silent.

        Args:
            lost: Told its address, and for how many seconds it has said nothing; 0 for one that has ended.
        """
        _met.append(self)
        atexit.register(self.part)
        threading.Thread(target=self._speak, name=f"{_THREAD}: speaking", daemon=True).start()
        threading.Thread(target=self._listen, args=(lost,), name=_THREAD, daemon=True).start()

    def part(self) -> None:
        """Tells the others that this worker is through, so that its end is no loss; not after an error."""
        while self._calling and not hasattr(sys, "last_value"):
            _, connection = self._calling.popitem()
            self._parted.append(connection)
            with contextlib.suppress(OSError):
                connection.sendall(_FAREWELL)

    def await_farewells(self, patience: float = NOTICE) -> None:
        """Returns when all the others have said that they are through, or after so many seconds."""
        _await(lambda: self._through.issuperset(self._hearing), patience)

    def await_ends(self, patience: float = NOTICE) -> None:
        """Returns when all the others have ended, or after so many seconds."""
        _await(lambda: not self._hearing, patience)

    def _speak(self) -> None:
        while self._calling:
            for connection in list(self._calling.values()):
                with contextlib.suppress(OSError):
                    connection.sendall(_BEAT)
            time.sleep(BEAT)

    def _listen(self, lost: Callable[[str, float], None]) -> None:
        silent: dict[socket.socket, float] = {}  # seconds, from the first sign of life on
        while self._hearing:
            began = time.monotonic()
            ready = select.select(list(self._hearing), [], [], BEAT)[0]
            waited = min(time.monotonic() - began, 2 * BEAT)
            silent = {connection: seconds + waited for connection, seconds in silent.items()}
            for connection in ready:
                said = _said(connection)
                if _FAREWELL in said:
                    self._through.add(connection)
                if said and connection not in self._through:
                    silent[connection] = 0.0
                    continue
                silent.pop(connection, None)
                if said:
                    continue
                address = self._hearing.pop(connection)
                connection.close()
                if connection not in self._through:
                    return lost(address, 0.0)
            late = max(silent, key=lambda connection: silent[connection], default=None)
            if late is not None and silent[late] > SILENCE:
                return lost(self._hearing[late], silent[late])


def meet(own: str, everyone: Sequence[str], patience: float = PATIENCE) -> Peers:
    """Returns when every worker listens at its address and knows that all the others do.

    Args:
        own: This worker's `host:port`, free again when this returns.
        everyone: The addresses of all workers.
        patience: Seconds to wait.

    Raises:
        ConnectionError: Another worker did not come in time, or this one's own address is in use.
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
    """The error for a worker that was there and is not any more."""
    what = f"has given no sign of life for {int(silent)} seconds" if silent else "is gone"
    return PeerError(f"another worker {f'({address}) ' if address else ''}{what}. {_ADVICE}")


def end_without(address: str, silent: float = 0.0) -> None:
    """Ends this process because of a lost worker, in a moment, if TensorFlow lets it wait instead of ending it.

    TensorFlow knows of an end, and then this process may end by itself; of silence it knows nothing.
    """
    time.sleep(max(0.0, NOTICE - silent))
    if has_last_word():
        sys.stderr.write(f"kt2t: {gone(address, silent)}\n")
        leave(PeerError.status)


def has_last_word() -> bool:
    """Whether it is for the caller to tell how this process ends; only the first of those who ask may.

    A lost worker is noticed by TensorFlow and by the thread that listens, often in the same moment.
    """
    return not are_watched() or _last_word.acquire(blocking=False)


def have_met() -> bool:
    """Whether this process has worked with others."""
    return bool(_met)


def part(last: bool) -> None:
    """Tells the other workers that this one is through, and returns when all are, so that each may then `leave`.

    An operation of several workers may be through here and still wait there for what this process holds.

    Args:
        last: Whether this one serves the others, and so waits until they have ended.
    """
    for peers in _met:
        peers.part()
        peers.await_farewells()
        if last:
            peers.await_ends()


def are_watched() -> bool:
    """Whether this process works with others that must learn of its end."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def leave(status: int) -> None:
    """Ends this process at once: in the usual way TensorFlow would wait for the other workers, for seconds."""
    logging.shutdown()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _await(is_so: Callable[[], bool], patience: float) -> None:
    end = time.monotonic() + patience
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)


def _said(connection: socket.socket) -> bytes:
    """What has come; nothing from a process that has ended."""
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
