"""Work on several threads: results and errors in order, within a bound of bytes."""

from __future__ import annotations

import itertools
import random
import threading
import time

import numpy as np
import pytest

from kt2t.data.in_order import bytes_of, cores, in_order


def slowly(number):
    time.sleep(random.random() / 500)
    return number * number


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_results_are_in_the_order_of_the_items(threads):
    assert list(in_order(slowly, range(100), threads)) == [number * number for number in range(100)]
    assert list(in_order(slowly, [], threads)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_after_the_results_before_it(threads):
    def function(number):
        if number == 7:
            raise KeyError(number)
        return slowly(number)

    found = []
    with pytest.raises(KeyError, match="7"):
        for result in in_order(function, range(50), threads):
            found.append(result)
    assert found == [number * number for number in range(7)]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_items_is_raised_after_the_results_before_it(threads):
    def items():
        yield from range(5)
        raise OSError("the disk")

    found = []
    with pytest.raises(OSError, match="the disk"):
        for result in in_order(slowly, items(), threads):
            found.append(result)
    assert found == [0, 1, 4, 9, 16]


def test_it_works_on_several_threads_at_once():
    together = threading.Barrier(3, timeout=60)

    def function(number):
        if number:  # the first result is waited for alone
            together.wait()
        return number

    assert list(in_order(function, range(7), 3)) == list(range(7))


class Ledger:
    """Counts the bytes of results that were made and not taken."""

    def __init__(self):
        self.lock, self.held, self.most = threading.Lock(), 0, 0

    def make(self, size):
        result = np.zeros(size, np.uint8)
        with self.lock:
            self.held += size
            self.most = max(self.most, self.held)
        return result

    def take(self, result):
        with self.lock:
            self.held -= result.nbytes


@pytest.mark.parametrize(("size", "most"), [(1000, 5000), (1000, 100_000), (50_000, 1000)])
def test_what_waits_is_bounded_in_bytes(size, most):
    ledger = Ledger()
    for result in in_order(ledger.make, itertools.repeat(size, 200), 4, most_bytes=most):
        time.sleep(0.0002)
        ledger.take(result)
    assert ledger.most <= max(size, most) + size  # and the one that is being taken


def test_items_are_read_only_as_far_ahead_as_the_bound_allows():
    read = []

    def items():
        for number in range(100):
            read.append(number)
            yield np.zeros(1000, np.uint8)

    results = in_order(lambda item: 0, items(), 4, most_bytes=3500)
    next(results)
    assert len(read) <= 5
    results.close()


def test_closing_ends_the_threads():
    results = in_order(slowly, itertools.count(), 2)
    next(results)
    results.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("kt2t worker")]


def test_bytes_of():
    assert bytes_of(np.zeros((3, 5), np.int32)) == 60
    assert bytes_of([{"a": b"1234", "b": "xy"}, (np.zeros(3, np.uint8), 7)]) == 4 + 2 + 3 + 8
    assert bytes_of([]) == 0 and bytes_of({}) == 0
    assert bytes_of([np.zeros(100, np.uint8)] * 100_000) == pytest.approx(1e7, rel=0.01)
    assert cores() >= 1
