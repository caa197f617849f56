"""Applies a function to many items on several threads and gives the results in order, within a bound on memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

MOST_BYTES = 256 * 2**20
SAMPLE = 256  # elements of a long list that are measured

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R], items: Iterable[T], threads: int, most_bytes: int = MOST_BYTES
) -> Iterator[R]:
    """Yields `function(item)` for each item, in the order of the items.

    Items are read, and results are given, on the thread that iterates. An error that the function or the items raise is
    raised in its place, after the results before it.

    Items and results that wait take at most `most_bytes` together, or there is one of them. The size of a result is known
    once it is there; until then it is taken to be as large as the largest one so far. So the first result is waited for
    before more work begins.

    Args:
        function: Called on several threads at once.
        items: Read a little ahead of the results.
        threads: With one thread, the function runs on the thread that iterates.
        most_bytes: See `bytes_of` for what is counted.
    """
    if threads == 1:
        yield from map(function, items)
        return

    def measured(item: T) -> tuple[R, int]:
        result = function(item)
        return result, bytes_of(result)

    waiting: deque[tuple[int, Future[tuple[R, int]]]] = deque()
    largest: int | None = None
    source, failure = iter(items), None
    with ThreadPoolExecutor(threads, thread_name_prefix="kt2t worker") as pool:
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:
                    failure = error
                    break
                size = bytes_of(item)
                while waiting and (
                    largest is None
                    or len(waiting) >= 2 * threads
                    or size + largest + _taken(waiting, largest) > most_bytes
                ):
                    result, of_result = waiting.popleft()[1].result()
                    largest = max(largest or 0, of_result)
                    yield result
                waiting.append((size, pool.submit(measured, item)))
                del item
            while waiting:
                yield waiting.popleft()[1].result()[0]
        finally:
            for _, future in waiting:
                future.cancel()
    if failure is not None:
        raise failure


def cores() -> int:
    """Returns the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bytes_of(value: Any) -> int:
    """Estimates how many bytes a value takes: arrays, bytes and texts, in mappings, lists and tuples of any depth.

    Of a long list only a sample of evenly spaced elements is measured.
    """
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(bytes_of, value.values()))
    if isinstance(value, list | tuple):
        sample = value[:: -(-len(value) // SAMPLE)] if value else value
        return sum(map(bytes_of, sample)) * len(value) // max(1, len(sample))
    size = getattr(value, "nbytes", 8)
    return size if isinstance(size, int) else 8


def _taken(waiting: Iterable[tuple[int, Future[tuple[Any, int]]]], largest: int) -> int:
    """The bytes of all that waits; of a result that is not there yet, those of the largest so far."""
    total = 0
    for size, future in waiting:
        is_there = future.done() and not future.cancelled() and future.exception() is None
        total += size + (future.result()[1] if is_there else largest)
    return total
