"""How the processes that train one model meet, and how each notices at once that another is gone."""

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
_FAREWELL = b"."
_THREAD = "kt2t peers"
_ADVICE = "Start all workers again: they continue from the last checkpoint."


class Peers:
    """The other workers, each at the other end of a connection that lasts as long as its process.

    TensorFlow's own heartbeat takes more than ten seconds to miss a process that was killed. A connection tells at once.

    Args:
        calling: By the address of each other worker, the connection on which this one is heard.
        hearing: Those on which the others are heard.
    """

    def __init__(self, calling: Mapping[str, socket.socket], hearing: Mapping[str, socket.socket]) -> None:
        self._calling = dict(calling)
        self._hearing = {connection: address for address, connection in hearing.items()}

    def watch(self, lost: Callable[[str], None]) -> None:
        """From now on a thread tells `lost` the address of the first worker that ends without a farewell."""
        atexit.register(self.part)
        threading.Thread(target=self._listen, args=(lost,), name=_THREAD, daemon=True).start()

    def part(self) -> None:
        """Tells the others that this worker is through, so that its end is no loss; not after an error."""
        while self._calling and not hasattr(sys, "last_value"):
            _, connection = self._calling.popitem()
            with connection, contextlib.suppress(OSError):
                connection.sendall(_FAREWELL)

    def _listen(self, lost: Callable[[str], None]) -> None:
        while self._hearing:
            for connection in select.select(list(self._hearing), [], [])[0]:
                try:
                    said = connection.recv(64)
                except OSError:
                    said = b""
                address = self._hearing.pop(connection)
                connection.close()
                if said != _FAREWELL:
                    lost(address)
                    return


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


def gone(address: str = "") -> PeerError:
    """The error for a worker that was there and is not any more."""
    return PeerError(f"another worker {f'({address}) ' if address else ''}is gone. {_ADVICE}")


def end_without(address: str) -> None:
    """Ends this process because of a lost worker, in a moment, if TensorFlow lets it wait instead of ending it."""
    time.sleep(NOTICE)
    sys.stderr.write(f"kt2t: {gone(address)}\n")
    leave(PeerError.status)


def are_watched() -> bool:
    """Whether this process works with others that must learn of its end."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def leave(status: int) -> None:
    """Ends this process at once and without a farewell: in the usual way TensorFlow would wait for the other workers."""
    logging.shutdown()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _called(address: str, own: str) -> socket.socket | None:
    host, port = address.rsplit(":", 1)
    try:
        call = socket.create_connection((host, int(port)), timeout=1)
    except OSError:
        return None
    try:
        call.sendall(own.encode())
    except OSError:
        call.close()
        return None
    return call


def _hear(door: socket.socket, others: Sequence[str], hearing: dict[str, socket.socket]) -> None:
    with contextlib.suppress(TimeoutError, ConnectionError):
        caller, _ = door.accept()
        caller.settimeout(1)
        try:
            name = caller.recv(256).decode(errors="replace")
        except OSError:
            name = ""
        if name not in others or name in hearing:
            caller.close()
            return
        caller.settimeout(None)
        hearing[name] = caller
