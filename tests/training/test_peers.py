"""Workers that meet, wait, part and are lost, as threads of one process: nothing here needs TensorFlow."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading

import pytest

from kt2t.errors import PeerError
from kt2t.run.launch import _free_addresses
from kt2t.training.peers import Peers, are_watched, gone, meet


def met(count):
    addresses = _free_addresses(count)
    found: dict[int, Peers] = {}
    threads = [
        threading.Thread(target=lambda place=place: found.update({place: meet(addresses[place], addresses, 20)}))
        for place in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return addresses, [found[place] for place in range(count)]


def test_all_meet_and_their_addresses_are_free_again():
    addresses, peers = met(3)
    assert len(peers) == 3
    with socket.socket() as server:  # as TensorFlow's own server binds it, while the connections last
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", int(addresses[0].rsplit(":", 1)[1])))
        server.listen()


def test_one_alone_meets_nobody():
    (address,) = _free_addresses(1)
    meet(address, [address], 1)


def test_the_workers_that_do_not_come_are_named():
    addresses = _free_addresses(3)
    with pytest.raises(PeerError, match=f"{addresses[1]}, {addresses[2]} did not come within 0.3 seconds"):
        meet(addresses[0], addresses, 0.3)


def test_a_stranger_at_the_door_is_no_worker():
    addresses = _free_addresses(2)
    failed: queue.Queue[Exception] = queue.Queue()

    def wait():
        try:
            meet(addresses[0], addresses, 1.0)
        except PeerError as error:
            failed.put(error)

    thread = threading.Thread(target=wait)
    thread.start()
    host, port = addresses[0].split(":")
    for said in (b"GET / HTTP/1.0\r\n\r\n", b"", b"\xff" * 300):
        while True:
            try:
                with socket.create_connection((host, int(port)), 1) as call:
                    call.sendall(said)
                break
            except ConnectionRefusedError:
                assert thread.is_alive()
    thread.join()
    assert addresses[1] in str(failed.get_nowait())


def test_an_address_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        own = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PeerError, match=f"{own}' cannot be used"):
            meet(own, [own, "127.0.0.1:1"], 1)


def test_an_end_is_noticed_at_once_and_a_farewell_is_none():
    addresses, (first, second, third) = met(3)
    lost: queue.Queue[str] = queue.Queue()
    first.watch(lost.put)
    assert are_watched()
    second.part()
    with pytest.raises(queue.Empty):
        lost.get(timeout=0.3)
    for connection in third._calling.values():  # as the system does where a process is killed
        connection.close()
    assert lost.get(timeout=5) == addresses[2]
    first.part()


DYING = """
import sys, time, threading
from kt2t.training.peers import meet, end_without
peers = meet(sys.argv[1], sys.argv[1:3], 20)
peers.watch(end_without)
print("met", flush=True)
sys.stdin.readline()
{end}
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 7), ("raise ValueError", 7), ("", 0)],
    ids=["killed", "an error", "the end"],
)
def test_the_others_of_a_process_that_ends(end, status):
    addresses = _free_addresses(2)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    codes = [DYING.format(end=end), DYING.format(end="time.sleep(20 if sys.argv[3] == '7' else 1)")]
    dying, other = (
        subprocess.Popen([sys.executable, "-c", code, *order, str(status)], **pipes)
        for code, order in zip(codes, (addresses, addresses[::-1]), strict=True)
    )
    assert dying.stdout.readline() == other.stdout.readline() == "met\n"
    other.stdin.write("\n"), other.stdin.flush()
    dying.communicate("\n", timeout=20)
    _, said = other.communicate(timeout=10)
    assert other.returncode == status
    assert said == (f"kt2t: {gone(addresses[0])}\n" if status else "")
