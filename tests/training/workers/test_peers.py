"""Workers that meet, wait, part and are lost, as threads or small processes: nothing here needs TensorFlow."""

from __future__ import annotations

import queue
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from kt2t.errors import PeerError
from kt2t.run.launch import _free_addresses
from kt2t.training.workers.peers import BEAT, SILENCE, Peers, are_watched, gone, has_last_word, meet

MET: list[Peers] = []


@pytest.fixture(autouse=True)
def ended(monkeypatch):
    """After each test all its peers are gone, and their threads with them."""
    monkeypatch.setattr("kt2t.training.workers.peers._watched", [])
    MET.clear()
    yield
    for peers in MET:
        peers.part()
    for peers in MET:
        for connection in peers._parted:
            connection.close()
    end = time.monotonic() + 10
    while are_watched() and time.monotonic() < end:
        time.sleep(0.01)


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
    MET.extend(found.values())
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


def test_the_last_to_leave_waits_until_the_others_have_parted():
    _, (first, second) = met(2)
    for one in (first, second):
        one.watch(lambda address, silent: None)
    told: list[str] = []

    def leave():
        first.part()
        first.await_farewells(20)
        told.append("all are through")
        first.await_ends(20)
        told.append("all have ended")

    thread = threading.Thread(target=leave)
    thread.start()
    time.sleep(0.5)
    assert told == []
    second.part()
    second.await_farewells(20)
    time.sleep(0.5)
    assert told == ["all are through"]
    for connection in second._parted:
        connection.close()  # as its process's end does
    thread.join(10)
    assert told == ["all are through", "all have ended"]


def test_it_does_not_wait_for_ever():
    _, (first, _) = met(2)
    begun = time.monotonic()
    first.await_farewells(0.2)
    assert 0.2 <= time.monotonic() - begun < 5


def test_an_address_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        own = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PeerError, match=f"{own}' cannot be used"):
            meet(own, [own, "127.0.0.1:1"], 1)


def test_an_end_is_noticed_at_once_and_a_farewell_is_none():
    addresses, (first, second, third) = met(3)
    lost: queue.Queue[tuple[str, float]] = queue.Queue()
    first.watch(lambda *told: lost.put(told))
    assert are_watched()
    second.part()
    with pytest.raises(queue.Empty):
        lost.get(timeout=0.3)
    for connection in third._calling.values():  # as the system does where a process is killed
        connection.close()
    assert lost.get(timeout=5) == (addresses[2], 0.0)
    first.part()


def test_one_that_falls_silent_is_lost_and_one_that_speaks_is_not(monkeypatch):
    monkeypatch.setattr("kt2t.training.workers.peers.SILENCE", 1.5)
    addresses, (first, second, third) = met(3)
    lost: queue.Queue[tuple[str, float]] = queue.Queue()
    first.watch(lambda *told: lost.put(told))
    with pytest.raises(queue.Empty):  # before it has spoken at all a worker may be busy with its start
        lost.get(timeout=2)
    (silent,) = (connection for address, connection in third._calling.items() if address == addresses[0])
    silent.sendall(b"~")
    second.watch(lambda *told: None)
    began = time.monotonic()
    address, seconds = lost.get(timeout=5)
    assert address == addresses[2] and 1.5 < seconds < 3 and time.monotonic() - began < 4
    for one in (first, second):
        one.part()


def test_a_farewell_right_behind_a_sign_of_life_is_one():
    addresses, (first, second) = met(2)
    lost: queue.Queue[tuple[str, float]] = queue.Queue()
    first.watch(lambda *told: lost.put(told))
    (connection,) = second._calling.values()
    connection.sendall(b"~~.")
    connection.close()
    with pytest.raises(queue.Empty):
        lost.get(timeout=0.5)
    first.part()


DYING = """
import sys, time, threading
from kt2t.training.workers.peers import meet, end_without
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


WATCHING = """
import sys
from kt2t.training.workers import peers
peers.SILENCE = float(sys.argv[3])
peers.meet(sys.argv[1], sys.argv[1:3], 20).watch(peers.end_without)
print("met", flush=True)
sys.stdin.readline()
"""


def watching(silence):
    """Two processes that watch each other, and their addresses."""
    addresses = _free_addresses(2)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pair = [
        subprocess.Popen([sys.executable, "-c", WATCHING, *order, str(silence)], **pipes)
        for order in (addresses, addresses[::-1])
    ]
    assert [process.stdout.readline() for process in pair] == ["met\n", "met\n"]
    time.sleep(2 * BEAT)  # until both have spoken
    return pair, addresses


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_other_of_a_frozen_process_ends_within_ten_seconds():
    """Once the first one is frozen, and once the second one."""
    pairs = [watching(SILENCE) for _ in range(2)]
    frozen = [pair[number] for number, (pair, _) in enumerate(pairs)]
    others = [pair[1 - number] for number, (pair, _) in enumerate(pairs)]
    began = time.monotonic()
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    for number, other in enumerate(others):
        assert other.wait(20) == 7 and time.monotonic() - began < 10
        address = pairs[number][1][number]
        assert f"kt2t: another worker ({address}) has given no sign of life for" in other.stderr.read()
    for process in frozen:  # and when it goes on it finds itself alone
        process.send_signal(signal.SIGCONT)
        assert process.wait(10) == 7


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_that_stand_still_together_do_not_lose_each_other():
    pair, _ = watching(1.5)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for process in pair:
            process.send_signal(number)
        time.sleep(3)
    assert [process.poll() for process in pair] == [None, None]
    assert [process.communicate("\n", timeout=10) for process in pair] == [("", ""), ("", "")]
    assert [process.returncode for process in pair] == [0, 0]


def test_only_one_tells_how_the_process_ends(monkeypatch):
    monkeypatch.setattr("kt2t.training.workers.peers._last_word", threading.Lock())
    assert has_last_word() and has_last_word()  # nobody is watched, so each error of a process is told
    monkeypatch.setattr("kt2t.training.workers.peers.are_watched", lambda: True)
    assert [has_last_word() for _ in range(3)] == [True, False, False]
