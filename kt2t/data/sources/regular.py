"""Checks that a source is a regular file, so that it is complete and can be read again."""

from __future__ import annotations

import stat
from pathlib import Path

from kt2t.errors import DataError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular(path: Path, option: str | None = None) -> None:
    """Raises an error unless a path, or the target of its link, is a regular file. Opening a pipe would block.

    Args:
        path: The path.
        option: The recipe's option that names it, for error messages.

    Raises:
        DataError: The path does not exist, cannot be examined, or is not a regular file.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"'{path}' does not exist.", path=option) from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.", path=option) from error
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise DataError(f"'{path}' is {kind}, not a file. Write its content to a file, and name that.", path=option)
