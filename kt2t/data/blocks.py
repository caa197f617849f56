"""Computed examples: drawn in blocks that each have a random generator of their own, split by a hash of their content."""

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
    """The random generator of one block, which depends on nothing else."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, zlib.crc32(split.encode()), number])))


def first_kept(draw: Callable[[], Iterable[T]], keep: Callable[[T], bool]) -> list[T]:
    """The first `BLOCK` that are kept of what is drawn again and again."""
    drawn = itertools.chain.from_iterable(draw() for _ in itertools.count())
    return list(itertools.islice(filter(keep, drawn), BLOCK))


def from_blocks(block: Callable[[int], Sequence[T]], start: int, stop: int) -> Iterator[T]:
    """What stands from number `start` to before `stop` in the blocks of `block(number)`; only those are made."""
    for number in range(start // BLOCK, -(-stop // BLOCK)):
        first = number * BLOCK
        yield from block(number)[max(start - first, 0) : stop - first]


def is_in_split(part: int, split: str) -> bool:
    """Whether an example may stand in `train` or `validation`; of the ten equal parts that a hash makes, 0 is held out."""
    return (part % PARTS == 0) == (split == "validation")
