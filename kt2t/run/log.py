"""How the log of a run is written: when, how serious, what; and the details that would be too long for a terminal."""

from __future__ import annotations

import logging


class LogFormatter(logging.Formatter):
    """One line a record, and a line below for each of its `details` (given as `extra={"details": [...]}`)."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join([super().format(record), *getattr(record, "details", ())])
