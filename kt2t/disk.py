"""Files and folders that are whole or not there, who may write them, and what is said when the disk does not allow it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kt2t.errors import Kt2tError, ResourceError

try:
    import fcntl
except ImportError:  # Windows has no flock; two writers at once are then not noticed
    fcntl = None  # type: ignore[assignment]

_ASIDE = re.compile(r"\.(.+)\.(tmp|old|gone)-(\d+)")
_RESOURCE_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
    errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def whole_file(path: Path, content: str | bytes) -> Path:
    """Makes or replaces a file; a kill leaves the old one or the new one.

    Raises:
        ResourceError: It cannot be written; nothing half-written stays.
    """
    aside = _aside(path, "tmp")
    try:
        with writing(path):
            aside.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
            _sync(aside)
            aside.replace(path)
            _sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)
    return path


def whole_folder(path: Path, fill: Callable[[Path], None]) -> Path:
    """Makes or replaces the folder `path` with what `fill` puts into it; a kill leaves the old one or the new one.

    Args:
        fill: Called with an empty folder beside `path`.

    Raises:
        ResourceError: The disk is full or not to be written; nothing half-written stays.
    """
    aside = _aside(path, "tmp")
    try:
        with writing(path, by_others=True):
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            fill(aside)
            for below in (*aside.rglob("*"), aside):
                _sync(below)
            old = _moved_aside(path, "old") if path.exists() else None
            aside.rename(path)
            _sync(path.parent)
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
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


def clean(parent: Path, name: str | None = None) -> None:
    """Removes what writers that are dead by now left: of everything in a folder, or of one name in it."""
    recover(parent)
    for path, of, _ in list(_left_behind(parent)):
        if name in (None, of):
            _remove(path)


def name_aside(name: str) -> str:
    """The name of what a file or folder was written aside for; any other name as it is."""
    said = _ASIDE.fullmatch(name)
    return said[1] if said else name


@contextlib.contextmanager
def exclusive(path: Path, refused: Callable[[str], Exception]) -> Iterator[None]:
    """Holds a lock file, which is there as long as it is held; it is given up when the process ends, however it ends.

    Args:
        path: The lock file.
        refused: Makes the error for when another holds it, from who that is: `process 12 on host`.

    Raises:
        ResourceError: The file cannot be written.
    """
    with writing(path):
        file = _locked(path, refused)
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


@contextlib.contextmanager
def writing(path: Path, by_others: bool = False) -> Iterator[None]:
    """Turns what the operating system says about a path into one sentence.

    Args:
        by_others: Whether code that is not about `path` alone runs here: only errors that tell of the disk are turned.

    Raises:
        ResourceError: In place of an `OSError`, or of a library's own error that tells of one.
    """
    try:
        yield
    except Kt2tError:
        raise
    except Exception as error:
        code = _code(error)
        if code in _RESOURCE_ERRORS or not by_others and isinstance(error, OSError):
            reason = os.strerror(code) if code else str(error)
            raise ResourceError(
                f"{str(path)!r} cannot be written: {reason}. Make room or choose another folder."
            ) from error
        raise


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _aside(path: Path, word: str) -> Path:
    return path.with_name(f".{path.name}.{word}-{os.getpid()}")


def _moved_aside(path: Path, word: str) -> Path:
    shutil.rmtree(_aside(path, word), ignore_errors=True)
    return path.rename(_aside(path, word))


def _locked(path: Path, refused: Callable[[str], Exception]) -> Any:
    while True:
        file = open(path, "a+", encoding="utf-8")
        if not _try_lock(file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise refused(holder)
        if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
        file.close()  # its last holder removed it


def _try_lock(file: Any) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _code(error: Exception) -> int | None:
    """The operating system's number for an error; safetensors and array-record tell it in their message only."""
    if isinstance(error, OSError):
        return error.errno
    text = str(error)
    if said := re.search(r"os error (\d+)", text):
        return int(said[1])
    if isinstance(error, RuntimeError):
        return errno.ENOSPC if "No space left" in text else errno.EDQUOT if "quota" in text else None
    return None


def _left_behind(parent: Path) -> Iterator[tuple[Path, str, str]]:
    """What writers that are dead by now left: path, name of the file or folder, and `tmp`, `old` or `gone`."""
    for path in sorted(parent.glob(".*")):
        said = _ASIDE.fullmatch(path.name)
        if said and not _is_alive(int(said[3])):
            yield path, said[1], said[2]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
