"""Damaged examples that a recipe allows to be left out when a problem is prepared."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kt2t.errors import DataError

Raw = Mapping[str, Any]

logger = logging.getLogger("kt2t")


def encoded_or_skipped(
    problem: Any, examples: Sequence[Raw]
) -> tuple[Sequence[Raw], list[dict[str, Any]], list[DataError]]:
    """Encodes raw examples; those that `encode` refuses with a DataError are left out if the problem has a `skip`.

    Returns:
        The examples that were encoded, their arrays, and the errors of the others.

    Raises:
        DataError: An example is refused, and the problem's `skip` is 0.
    """
    try:
        return examples, problem.encode_all(examples), []
    except DataError:
        if not problem.skip:
            raise
    kept: list[Raw] = []
    arrays: list[dict[str, Any]] = []
    errors: list[DataError] = []
    for example in examples:
        try:
            arrays += problem.encode_all([example])
            kept.append(example)
        except DataError as error:
            errors.append(error)
    return kept, arrays, errors


class Skipped:
    """Counts the examples that are left out of a split, and logs each.

    Args:
        split: The split.
        most: How many may be left out: the problem's `skip`.
    """

    def __init__(self, split: str, most: int) -> None:
        self.split = split
        self.most = most
        self.count = 0

    def add(self, errors: Sequence[DataError]) -> None:
        """Takes the errors of further examples, in their order.

        Raises:
            DataError: They are more than may be left out.
        """
        for error in errors:
            self.count += 1
            if self.count > self.most:
                raise DataError(
                    f"{error} This is one more than problem.skip, {self.most}, allows to leave out of {self.split}. "
                    "Mend the data, or raise problem.skip."
                ) from error
            logger.warning("%s: left out: %s", self.split, error)
