"""Folders that are whole or not there: written aside, synced to the disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from kt2t.errors import ResourceError

_ASIDE = re.compile(r"\.(.+)\.(tmp|old|gone)-(\d+)")
_RESOURCE_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
}  # fmt: skip


def write_whole(path: Path, fill: Callable[[Path], None]) -> Path:
    """Makes or replaces the folder `path` with what `fill` puts into it; a kill leaves the old one or the new one.

    Args:
        fill: Called with an empty folder beside `path`.

    Raises:
        OSError: The disk is full or not to be written; nothing half-written stays.
    """
    aside = _aside(path, "tmp")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        fill(aside)
        for file in aside.iterdir():
            _sync(file)
        _sync(aside)
        old = _moved_aside(path, "old") if path.exists() else None
        aside.rename(path)
        _sync(path.parent)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        _raise_for_resource(error, path)
        raise
    return path


def remove_whole(path: Path) -> None:
    """Removes a folder so that no part of it is ever seen under its name."""
    shutil.rmtree(_moved_aside(path, "gone"), ignore_errors=True)


def recover(parent: Path) -> None:
    """Gives back the name of a folder whose writer died between moving it aside and putting the new one there."""
    for path, name, word in list(_left_behind(parent)):
        if word == "old" and not (parent / name).exists():
            with contextlib.suppress(OSError):
                path.rename(parent / name)


def clean(parent: Path) -> None:
    """Removes what writers that are dead by now left."""
    recover(parent)
    for path, _, _ in list(_left_behind(parent)):
        shutil.rmtree(path, ignore_errors=True)


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _aside(path: Path, word: str) -> Path:
    return path.with_name(f".{path.name}.{word}-{os.getpid()}")


def _moved_aside(path: Path, word: str) -> Path:
    shutil.rmtree(_aside(path, word), ignore_errors=True)
    return path.rename(_aside(path, word))


def _raise_for_resource(error: BaseException, path: Path) -> None:
    said = re.search(r"os error (\d+)", str(error))  # safetensors tells the number in its message only
    code = getattr(error, "errno", None) or (int(said[1]) if said else None)
    if code in _RESOURCE_ERRORS:
        raise ResourceError(f"{path}: cannot be written: {os.strerror(code)}. What was there is untouched.") from error


def _left_behind(parent: Path) -> Iterator[tuple[Path, str, str]]:
    """What writers that are dead by now left: path, name of the folder, and `tmp`, `old` or `gone`."""
    for path in sorted(parent.glob(".*")):
        said = _ASIDE.fullmatch(path.name)
        if said and not _is_alive(int(said[3])):
            yield path, said[1], said[2]


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # of an earlier process with our number: we are not writing now
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
