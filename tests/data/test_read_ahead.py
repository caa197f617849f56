"""Reading ahead: bounded, in order, with its errors, and without a thread left over."""

from __future__ import annotations

import gc
import itertools
import threading
import time

import numpy as np
import pytest

from kt2t.data.read_ahead import THREAD, read_ahead
from kt2t.errors import StalledError


def readers():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def gone(until=60.0):
    limit = time.monotonic() + until
    while readers() and time.monotonic() < limit:
        gc.collect()
        time.sleep(0.02)
    return not readers()


def settled(read):
    """How much was read when nothing more is."""
    count = -1
    while count != len(read):
        count = len(read)
        time.sleep(0.3)
    return count


def test_everything_comes_in_order_and_the_thread_ends():
    assert list(read_ahead(lambda: (number for number in range(500)), 4, 60)) == list(range(500))
    assert gone()


def test_an_error_comes_in_its_place():
    def source():
        yield 1
        yield 2
        raise KeyError("x")

    found = []
    with pytest.raises(KeyError, match="x"):
        for item in read_ahead(source, 4, 60):
            found.append(item)
    assert found == [1, 2] and gone()


@pytest.mark.parametrize(("depth", "most", "ahead"), [(4, 10**9, 4), (100, 3500, 3), (100, 10, 1)])
def test_it_reads_ahead_so_many_items_and_so_many_bytes(depth, most, ahead):
    read = []

    def source():
        for number in itertools.count():
            read.append(number)
            yield np.zeros(1000, np.uint8)

    items = read_ahead(source, depth, 60, most)
    next(items)
    assert settled(read) == 1 + ahead + 1, "one taken, those that wait, and one in the hand"
    items.close()
    assert gone()


def test_closing_closes_the_source():
    closed = threading.Event()

    def source():
        try:
            yield from itertools.count()
        finally:
            closed.set()

    items = read_ahead(source, 2, 60)
    next(items)
    items.close()
    assert closed.wait(60) and gone()


def test_nothing_in_time_is_an_error_with_the_stacks(capfd):
    never = threading.Event()

    def source():
        yield 1
        never.wait()

    items = read_ahead(source, 2, 0.3)
    assert next(items) == 1
    try:
        with pytest.raises(StalledError, match="no batch came for 0.3 seconds; the thread 'kt2t reader' waits"):
            next(items)
    finally:
        never.set()
    assert "in source" in capfd.readouterr().err
    assert gone()
