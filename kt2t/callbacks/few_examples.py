"""Warns of scores that were computed over very few examples."""

from __future__ import annotations

import logging
from collections.abc import Iterable

FEW = 10  # scores over fewer examples cause a warning
_logger = logging.getLogger("kt2t")


def warn_of_few(names: Iterable[str], count: int, split: str) -> bool:
    """Logs a warning if scores were computed over fewer than ten examples; a single example then changes them too much.

    Args:
        names: Names of the scores; without any, there is no warning.
        count: Number of examples that the scores were computed over.
        split: Name of the examples' split.

    Returns:
        Whether a warning was logged.
    """
    names = list(names)
    if not names or count >= FEW:
        return False
    _logger.warning(
        "%s on %s: computed over only %d example%s, which says little about the model. Use a larger %s split%s.",
        ", ".join(names),
        split,
        count,
        "s" * (count != 1),
        split,
        ", or raise report.score_limit" if split == "validation" else "",
    )
    return True
