"""Formats the log of a run: time, level and message, then lines of details that are too long for a terminal."""

from __future__ import annotations

import logging

SHOWN = {"shown": True}  # `extra` of a log record that was already shown on a terminal


def is_new(record: logging.LogRecord) -> bool:
    """Logging filter: returns False for records that were already shown on a terminal (`extra=SHOWN`), else True."""
    return not getattr(record, "shown", False)


class LogFormatter(logging.Formatter):
    """A logging formatter that writes a record as one line, followed by an indented line for each of its details.

    Details are given as `extra={"details": [...]}`.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join([super().format(record), *getattr(record, "details", ())])
