"""The errors that a user can cause, each with the exit status that the command line returns for it."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 10_000  # characters of a message: a stranger's file may have any name in it


class Kt2tError(Exception):
    """An error that is told in one sentence and a way out, without a traceback.

    Args:
        message: What is wrong, with the value seen, and what to do about it.
        path: The option's own path in the recipe, such as `model.num_heads`.
        file: The file where it stands.
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
    """A recipe, an option or a command that cannot mean anything."""

    status = 2


class UnknownNameError(RecipeError, LookupError):
    """A name that nothing is registered under."""


class DataError(Kt2tError, ValueError):
    """Raw data, a prepared problem or a vocabulary that is missing, damaged or does not fit."""

    status = 3


class RunError(Kt2tError, RuntimeError):
    """A run folder or a checkpoint that is missing, damaged, in use or of another recipe."""

    status = 4


class ResourceError(Kt2tError, OSError):
    """A disk, memory or permission that the machine does not give."""

    status = 5


class NumericsError(Kt2tError, ArithmeticError):
    """Training that has no finite numbers left."""

    status = 6


class PeerError(Kt2tError, ConnectionError):
    """Another worker of the same run is gone."""

    status = 7


class DriftError(NumericsError):
    """Replicas that do not hold the same weights any more; started again from a checkpoint, they do."""

    status = 7


class StalledError(Kt2tError, TimeoutError):
    """Something that training waits for does not come any more; started again, it may."""

    status = 7


def listed(items: Iterable[str], between: str = "; ", most: int = 8) -> str:
    """The first few of what an error is about, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return between.join(items[:most]) + more
