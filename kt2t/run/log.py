"""How the log of a run is written: when, how serious, what; and the details that would be too long for a terminal."""

from __future__ import annotations

import logging

SHOWN = {"shown": True}  # the `extra` of a record that a terminal has shown already


def is_new(record: logging.LogRecord) -> bool:
    """Whether a record was not shown on a terminal already; a filter."""
    return not getattr(record, "shown", False)


class LogFormatter(logging.Formatter):
    """One line a record, and a line below for each of its `details` (given as `extra={"details": [...]}`)."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join([super().format(record), *getattr(record, "details", ())])
