"""Chooses the training examples that are held out for validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from kt2t.data.content_hash import content_hash
from kt2t.errors import DataError

SHARE, MOST = 100, 2000  # one of so many examples, and the most


def choose_held_out(examples: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Chooses the examples to hold out: 1 % (at least one, at most 2,000), those of the smallest hashes.

    Examples of the same content stay together.

    Returns:
        The largest hash that is held out (`limit`), the number of examples (`records`), and `buffers` if any example holds
        bytes or arrays, whose hash is another since they are not hashed as lists of numbers.

    Raises:
        DataError: There are fewer than two different examples.
    """
    counts: Counter[int] = Counter()
    total, ceiling, of_buffers = 0, 2**64, False
    for example in examples:
        total += 1
        number, has_buffers = content_hash(example)
        of_buffers |= has_buffers
        if number <= ceiling:
            counts[number] += 1
        if len(counts) > 2 * MOST:
            ceiling = sorted(counts)[MOST]
            counts = Counter({number: count for number, count in counts.items() if number <= ceiling})
    if len(counts) < 2:
        raise DataError(
            f"{len(counts)} different examples cannot be split in two. Name validation files or add examples."
        )
    wanted = min(MOST, max(1, total // SHARE))
    limit = records = 0
    for number in sorted(counts):
        if records and records + counts[number] > wanted:
            break
        limit, records = number, records + counts[number]
    return {"limit": limit, "records": records, **({"buffers": True} if of_buffers else {})}
