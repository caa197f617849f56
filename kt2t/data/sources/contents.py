"""Whole files, one by one, from a folder or from a tar archive."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kt2t.data.sources.lines import GZIP
from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError

LARGEST = 1 << 30  # bytes of one file
_BLOCK = 1 << 20
_TAR_END = bytes(1024)
_COMPRESSIONS: dict[bytes, Callable[[Path], Any]] = {
    GZIP: gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}


class Contents(bytes):
    """The bytes of one file, together with the place that they were read from.

    Attributes:
        place: The file, for errors; with its name in the archive where it comes from one.
    """

    place: str = "the file"

    @classmethod
    def at(cls, place: str, data: bytes) -> Contents:
        """Attaches a place to bytes."""
        found = cls(data)
        found.place = place
        return found


def place_of(data: bytes, otherwise: str) -> str:
    """Returns the place of `Contents`; `otherwise` for plain bytes."""
    return data.place if isinstance(data, Contents) else otherwise


def names_in(path: Path, option: str = "problem.path") -> list[str]:
    """Lists the names of the files in a folder or an archive, without reading the files.

    Names are relative, with `/` between their parts. Hidden files are left out. A folder's names are in the order of their
    code points, an archive's in its own order.

    Raises:
        DataError: The place does not exist, cannot be read, or is neither a folder nor a tar archive.
    """
    if not path.is_dir():
        return [name for name, _ in _members(path, option, read=False)]
    names = []
    for place, folders, files in os.walk(path, onerror=lambda error: _refuse(error, option)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(path)
        names += [(below / name).as_posix() for name in files if not name.startswith(".")]
    return sorted(names)


def contents_of(
    path: Path, names: set[str] | None = None, option: str = "problem.path"
) -> Iterator[tuple[str, Contents]]:
    """Yields name and bytes of each file in a folder or an archive, in the order of `names_in`; one is in memory at a time.

    Args:
        path: A folder, or a tar archive, plain or compressed.
        names: Names of the files to read; all by default.
        option: The recipe's option that names `path`, for error messages.

    Raises:
        DataError: The place or one of its files is missing, damaged or no file.
    """
    if not path.is_dir():
        yield from ((name, data) for name, data in _members(path, option, names) if data is not None)
        return
    for name in sorted(names) if names is not None else names_in(path, option):
        yield name, whole_file(path / name)


def whole_file(path: Path) -> Contents:
    """Reads a whole file as bytes.

    Raises:
        DataError: It is missing, is no file, cannot be read or is over 1 GB.
    """
    require_regular(path)
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"'{path}' has {path.stat().st_size:,} bytes; {LARGEST:,} is the most for one file.")
        return Contents.at(str(path), path.read_bytes())
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _members(
    path: Path, option: str, names: set[str] | None = None, read: bool = True
) -> Iterator[tuple[str, Contents | None]]:
    name = None
    try:
        with _unpacked(path, option) as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                parts = [part for part in PurePosixPath(member.name).parts if part != "."]
                if not member.isfile() or any(part.startswith(".") for part in parts):
                    continue
                name = "/".join(parts)
                if names is None or name in names:
                    yield name, _member(archive, member, f"{path}: {name}") if read else None
            while file.read(_BLOCK):  # a compressed file's checksum stands at its end
                pass
    except tarfile.ReadError as error:
        if name is None:
            raise DataError(
                f"'{path}' is neither a folder nor a tar archive that can be read: {error}.", path=option
            ) from error
        raise _damaged(path, name, error) from error
    except (EOFError, zlib.error, lzma.LZMAError, OSError, tarfile.TarError, UnicodeError) as error:
        if isinstance(error, DataError):
            raise
        raise _damaged(path, name, error) from error


def _unpacked(path: Path, option: str) -> IO[bytes]:
    """The bytes of an archive, without its compression.

    Raises:
        DataError: It is no file, or a plain archive without the zeros at its end: tarfile would read it as a shorter one.
    """
    require_regular(path, option)
    file = open(path, "rb")
    start = file.read(6)
    for magic, opened in _COMPRESSIONS.items():
        if start.startswith(magic):
            file.close()
            return opened(path)
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - len(_TAR_END)))
    whole = file.read() == _TAR_END
    file.seek(0)
    if not whole:
        file.close()
        raise DataError(f"'{path}' is no tar archive, or one that is cut short: it does not end in zeros.", path=option)
    return file


def _damaged(path: Path, name: str | None, error: Exception) -> DataError:
    where = f"after '{name}'" if name else "at its beginning"
    return DataError(f"'{path}' is an archive that is damaged {where}: {error}. Fetch it again.")


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, place: str) -> Contents:
    if member.size > LARGEST:
        raise DataError(f"'{place}' has {member.size:,} bytes; {LARGEST:,} is the most for one file.")
    file = archive.extractfile(member)
    data = file.read() if file is not None else b""
    if len(data) != member.size:
        raise DataError(f"'{place}' has {len(data)} bytes where the archive promises {member.size}.")
    return Contents.at(place, data)


def _refuse(error: OSError, option: str) -> None:
    raise DataError(f"'{error.filename}' cannot be read: {error.strerror}.", path=option) from error
