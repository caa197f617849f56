"""Warns of scores that were computed over very few examples."""

from __future__ import annotations

import logging
from collections.abc import Iterable

FEW = 10  # a score over fewer examples is warned of
_logger = logging.getLogger("kt2t")


def warn_of_few(names: Iterable[str], count: int, split: str) -> bool:
    """Warns if scores were computed over fewer than ten examples, where one answer more decides much.

    Args:
        names: The scores.
        count: The examples that they were computed over.
        split: The split that these are of.

    Returns:
        Whether there was a warning.
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
