"""Writes files and folders whole or not at all, locks them, and turns disk errors into clear messages."""

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

NAME_MAX = 255  # bytes; what the usual file systems allow
_ASIDE = re.compile(r"\.(.+)\.(tmp|old|gone)-(\d+)")
_RESOURCE_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
    errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def whole_file(path: Path, content: str | bytes) -> Path:
    """Creates or replaces a file. A kill at any moment leaves the old file or the new one.

    Raises:
        ResourceError: The file cannot be written. Nothing half-written remains.
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
    """Creates or replaces the folder `path`. A kill at any moment leaves the old folder or the new one.

    Args:
        path: The folder.
        fill: Receives an empty temporary folder and writes the content into it. The folder is then renamed to `path`.

    Raises:
        ResourceError: The disk is full or cannot be written. Nothing half-written remains.
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
    """Renames a folder and then removes it, so that it is never half there under its own name."""
    shutil.rmtree(_moved_aside(path, "gone"), ignore_errors=True)


def recover(parent: Path) -> None:
    """Restores folders whose writer died while replacing them: moves the old folder back in place."""
    for path, name, word in list(_left_behind(parent)):
        if word == "old" and not (parent / name).exists():
            with contextlib.suppress(OSError):
                path.rename(parent / name)


def clean(parent: Path, name: str | None = None) -> None:
    """Removes temporary files and folders of dead writers: all of them in `parent`, or those of one name."""
    recover(parent)
    for path, of, _ in list(_left_behind(parent)):
        if name in (None, of):
            _remove(path)


def name_aside(name: str) -> str:
    """Returns the final name for the temporary name of a file or folder; any other name unchanged."""
    match = _ASIDE.fullmatch(name)
    return match[1] if match else name


@contextlib.contextmanager
def exclusive(path: Path, refused: Callable[[str], Exception]) -> Iterator[None]:
    """Holds a lock file inside the `with` block. The lock is released however the process ends.

    Args:
        path: The lock file; it exists only while it is held.
        refused: Makes the error if another process holds the lock. It receives `process 12 on host`.

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
    """Turns an error of the operating system inside the `with` block into a ResourceError that names the path.

    Args:
        path: The file or folder that is written.
        by_others: Whether the block also runs code that is not about `path`. Then only disk errors are turned.

    Raises:
        ResourceError: Instead of an `OSError`, or of a library's error that reports one.
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


def is_plain_name(name: Any) -> bool:
    """Returns whether a name, read from a file that may be damaged, can be that of a file or folder right beside it."""
    fits = isinstance(name, str) and 0 < len(name.encode("utf-8", "replace")) <= NAME_MAX
    return fits and Path(name).name == name and name != ".." and "\0" not in name


def sha256(path: Path) -> str:
    """Returns the sha256 of a file's content, in hexadecimal."""
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
        file.close()  # the previous holder has removed the file; open a new one


def _try_lock(file: Any) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _code(error: Exception) -> int | None:
    """Returns the operating system's error number. safetensors and array-record only write it into their message."""
    if isinstance(error, OSError):
        return error.errno
    text = str(error)
    if match := re.search(r"os error (\d+)", text):
        return int(match[1])
    if isinstance(error, RuntimeError):
        return errno.ENOSPC if "No space left" in text else errno.EDQUOT if "quota" in text else None
    return None


def _left_behind(parent: Path) -> Iterator[tuple[Path, str, str]]:
    """Yields what dead writers left: its path, the final name, and `tmp`, `old` or `gone`."""
    for path in sorted(parent.glob(".*")):
        match = _ASIDE.fullmatch(path.name)
        if match and not _is_alive(int(match[3])):
            yield path, match[1], match[2]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # an earlier process had our number: this one is not writing now
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
