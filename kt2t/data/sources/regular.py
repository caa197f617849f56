"""What may be read as a source: regular files alone, which are there whole and say the same each time."""

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
    """Nothing, where a path, or what it links to, is a regular file; a pipe would be waited for as soon as it is opened.

    Args:
        option: Of the recipe, for errors.

    Raises:
        DataError: It does not exist, cannot be looked at, or is something else.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"'{path}' does not exist.", path=option) from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.", path=option) from error
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise DataError(f"'{path}' is {kind}, not a file. Write what it gives into a file, and name that.", path=option)
