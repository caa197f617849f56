"""Compares the first raw examples of a problem with its prepared records, which may be stale."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.data.skipping import encoded_or_skipped
from kt2t.errors import DataError
from kt2t.features import flat

COUNT = 3  # records that are compared
MOST = 10_000  # raw examples that a `cut` may read before it gives these; it is not checked where it wants more


def check_raw(problem: Any) -> None:
    """Raises an error if the first records of a problem's prepared data differ from what `examples` yields now.

    A problem that cuts or joins its examples is checked as well, if it gives its first records before it has read very many
    examples.

    Raises:
        DataError: They differ; says what differs.
    """
    from kt2t.data.prepare import kept_examples

    prepared = problem.prepared
    split = "train" if "train" in prepared.splits else prepared.splits[0]
    records = prepared.records(split)
    raw = kept_examples(problem, split, prepared.manifest["held_out"])
    wanted = min(COUNT, len(records))
    try:
        now = list(itertools.islice(problem.cut(split, _encoded(problem, raw)), wanted))
    except _ReadsMany:
        return
    differs = f"there are {len(now)} examples now and {len(records)} records" if len(now) < wanted else ""
    for number, (record, example) in enumerate(zip(records.read(np.arange(wanted)), now, strict=False)):
        differs = differs or _difference(problem, number, record, flat(example))
    if differs:
        name = type(problem).__name__
        raise DataError(
            f"'{prepared.folder}' was prepared from other data than {name}.examples({split!r}) gives now: {differs}. "
            f"If {name} or its data has changed, delete that folder; the problem is then prepared again. If nothing has "
            "changed, examples must give the same each time."
        )


class _ReadsMany(Exception):
    """A `cut` has read `MOST` examples and given too few records."""


def _encoded(problem: Any, raw: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Encodes few examples at first, as most problems need no more of them."""
    read, size = 0, COUNT
    while chunk := list(itertools.islice(raw, size)):
        yield from encoded_or_skipped(problem, chunk)[1]
        read, size = read + len(chunk), 256
        if read >= MOST:
            raise _ReadsMany


def _difference(problem: Any, number: int, record: Mapping[str, np.ndarray], example: Mapping[str, Any]) -> str:
    for field, stored in record.items():
        if field not in example:
            return f"example {number} has no {field}"
        value = np.asarray(example[field])
        if value.shape != stored.shape or not np.array_equal(value.astype(stored.dtype), stored):
            now, then = (_shown(problem, field, one) for one in (value, stored))
            return f"{field} of example {number} is {now}, in the record {then}"
    return ""


def _shown(problem: Any, field: str, value: np.ndarray) -> str:
    if field in problem.vocabularies():
        return repr(str(problem.decode(field, value))[:200])
    return np.array2string(value, threshold=8, edgeitems=3, max_line_width=1000)
