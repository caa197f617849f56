"""The format of a run's log: time, level and message, then details that are too long for a terminal."""

from __future__ import annotations

import logging

SHOWN = {"shown": True}  # `extra` of a log record that was already shown on a terminal


def is_new(record: logging.LogRecord) -> bool:
    """Logging filter: False for records that were already shown on a terminal."""
    return not getattr(record, "shown", False)


class LogFormatter(logging.Formatter):
    """Formats a record as one line, followed by one line for each of its `details` (`extra={"details": [...]}`)."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join([super().format(record), *getattr(record, "details", ())])
