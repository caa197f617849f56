"""Errors that a user can cause, each with its exit status of the command line."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 10_000  # characters of a message: a foreign file may contain names of any length


class Kt2tError(Exception):
    """An error that the user sees as one line, without a traceback.

    Args:
        message: What is wrong, with the value seen, and what to do about it.
        path: Path of the option in the recipe, such as `model.num_heads`.
        file: The file that contains the mistake.
        line: The line in that file, counted from 1.
    """

    status = 70

    def __init__(
        self, message: str, *, path: str | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        message = message if len(message) <= LONGEST else f"{message[:LONGEST]}…"
        super().__init__(message)
        self.message = message
        self.path = path
        self.file = file
        self.line = line

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)


class RecipeError(Kt2tError, ValueError):
    """A recipe, an option or a command line is invalid."""

    status = 2


class UnknownNameError(RecipeError, LookupError):
    """No class is registered under a name."""


class DataError(Kt2tError, ValueError):
    """Raw data, prepared data or a vocabulary is missing, damaged or does not fit."""

    status = 3


class RunError(Kt2tError, RuntimeError):
    """A run folder or a checkpoint is missing, damaged, in use or belongs to another recipe."""

    status = 4


class ResourceError(Kt2tError, OSError):
    """The machine lacks disk space, memory or a permission."""

    status = 5


class NumericsError(Kt2tError, ArithmeticError):
    """Training produces numbers that are not finite."""

    status = 6


class PeerError(Kt2tError, ConnectionError):
    """Another worker of the same run has ended or is silent."""

    status = 7


class DriftError(NumericsError):
    """The replicas' weights differ. A restart from a checkpoint makes them equal again."""

    status = 7


class StalledError(Kt2tError, TimeoutError):
    """Training waited too long, for example for its input. A restart may help."""

    status = 7


def listed(items: Iterable[str], between: str = "; ", most: int = 8) -> str:
    """Joins the first few items for an error message and adds how many more there are."""
    items = list(items)
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return between.join(items[:most]) + more
