"""Finds and reads text files and folders of text files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from kt2t.data.sources.lines import lines
from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError


def text_files(
    places: Sequence[str | Path], pattern: str = "*.txt", option: str | None = None, exclude: Sequence[str] = ()
) -> list[Path]:
    """Lists text files: the named files, and from each folder, recursively, those that match a pattern, sorted by path.

    Args:
        places: Files, of any name, and folders.
        pattern: Pattern for the names of files in folders, without `.gz`. Hidden files are skipped.
        option: The recipe's option that names the places, for error messages.
        exclude: Patterns of files in folders to skip, for their names or their paths below the folder.

    Raises:
        DataError: A place does not exist or is no regular file, or a folder has no matching file.
    """
    found: list[Path] = []
    for place in places:
        path = Path(place).expanduser()
        if not path.is_dir():
            require_regular(path, option)
            found.append(path)
            continue
        fitting = [file for file in path.rglob("*") if _fits(file, path, pattern)]
        below = sorted(file for file in fitting if not _is_excluded(file, path, exclude))
        if not below:
            raise DataError(
                f"'{place}' has no text files: no name in it matches {pattern!r}. Name the files, or another pattern.",
                path=option,
            )
        for file in below:
            require_regular(file, option)
        found += below
    return found


def whole_text(path: Path) -> str:
    """Reads a text file as one text. Every line, including the last, ends in a line feed.

    Raises:
        DataError: See `lines`.
    """
    return "".join(line + "\n" for line in lines(path))


def all_lines(paths: Sequence[Path]) -> Iterator[str]:
    """Yields the lines of several files one after the other, each with a line feed.

    Raises:
        DataError: See `lines`.
    """
    for path in paths:
        for line in lines(path):
            yield line + "\n"


def _is_excluded(file: Path, root: Path, exclude: Sequence[str]) -> bool:
    names = (file.name, file.name.removesuffix(".gz"), file.relative_to(root).as_posix())
    return any(fnmatch(name, pattern) for name in names for pattern in exclude)


def _fits(file: Path, root: Path, pattern: str) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return not hidden and fnmatch(file.name.removesuffix(".gz"), pattern) and not file.is_dir()
