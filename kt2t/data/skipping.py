"""How many damaged files a split may lose, for problems whose recipe allows some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from kt2t.errors import DataError


def without_skipped(
    examples: Iterable[dict[str, np.ndarray]], most: int, split: str, what: str
) -> Iterator[dict[str, np.ndarray]]:
    """The encoded examples that hold something; an empty one stands for a file that was skipped and logged.

    Args:
        examples: Encoded examples in their order.
        most: How many may be empty.
        split: The split, for errors.
        what: What the files are, for errors.

    Raises:
        DataError: More are empty.
    """
    skipped = 0
    for example in examples:
        if example:
            yield example
            continue
        skipped += 1
        if skipped > most:
            raise DataError(
                f"more than {most} {what} of {split} are damaged; the log names them. Mend them, or raise problem.skip.",
                path="problem.skip",
            )
