"""Draws computed examples in blocks, each with its own random generator; a hash of the content decides the split."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

BLOCK = 1000
PARTS = 10

T = TypeVar("T")


def chance_of(seed: int, split: str, number: int) -> np.random.Generator:
    """Returns the random generator of one block; depends only on the arguments."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, zlib.crc32(split.encode()), number])))


def first_kept(draw: Callable[[], Iterable[T]], keep: Callable[[T], bool]) -> list[T]:
    """Draws examples until `BLOCK` of them were kept, and returns those."""
    drawn = itertools.chain.from_iterable(draw() for _ in itertools.count())
    return list(itertools.islice(filter(keep, drawn), BLOCK))


def from_blocks(block: Callable[[int], Sequence[T]], start: int, stop: int) -> Iterator[T]:
    """Yields the examples `start` to `stop` - 1; makes only the blocks that hold them."""
    for number in range(start // BLOCK, -(-stop // BLOCK)):
        first = number * BLOCK
        yield from block(number)[max(start - first, 0) : stop - first]


def is_in_split(part: int, split: str) -> bool:
    """Returns whether an example belongs to the split. A hash divides all into ten equal parts; part 0 is `validation`."""
    return (part % PARTS == 0) == (split == "validation")
