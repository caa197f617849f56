"""Names the folder of a prepared problem by the problem and a hash of its options, code and source files."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Any

from kt2t import disk
from kt2t.data.own_code import own_code
from kt2t.data.prepared import FORMAT
from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError, RecipeError, ResourceError
from kt2t.registry import describe, lookup

CACHE = ".sha256.json"
logger = logging.getLogger("kt2t")
MANY = 1000  # files; a folder of more is identified by their names, sizes and times


def data_directory(data_dir: str | Path | None = None) -> Path:
    """Returns the folder of all prepared problems: `data_dir`, else the environment's `KT2T_DATA`, else `~/.cache/kt2t`."""
    return Path(data_dir or os.environ.get("KT2T_DATA") or "~/.cache/kt2t").expanduser()


def folder_for(problem: Any, data_dir: str | Path | None = None) -> Path:
    """Names the folder in which a problem is or would be prepared.

    Raises:
        DataError: A source file does not exist.
    """
    root = data_directory(data_dir)
    code, _ = own_code(type(problem))
    notes = source_notes(problem, root)
    content = {
        "format": FORMAT,
        "problem": _content_options(problem, bool(notes)),
        "code": code,
        "vocabularies": problem.given_vocabularies(),
        "sources": _named_by_role(problem, notes),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
    return root / f"{_snake(type(problem).__name__)}-{digest[:12]}"


def source_notes(problem: Any, root: Path) -> list[dict[str, Any]]:
    """Identifies the sources of a problem: its files and folders, and the files that its code names.

    A file is identified by path, size and sha256; a hash is reused while size and time of the file stay the same. For folders
    see `folder_note`.

    Raises:
        DataError: A source is missing, is no file, or cannot be read.
    """
    cache = _read_cache(root / CACHE)
    before = dict(cache)
    sources = list(problem.source_files())
    named = [path for path in own_code(type(problem))[1] if path not in sources]
    notes = [folder_note(path) if path.is_dir() else _file_note(path, cache) for path in [*sources, *named]]
    if cache != before:
        _write_cache(root / CACHE, cache)
    return notes


def folder_note(folder: Path) -> dict[str, Any]:
    """Identifies a folder of many files without reading them: by the name, size and time of each file below it.

    Hidden files and folders are left out.

    Raises:
        DataError: A file cannot be looked at, or is no regular file.
    """
    digest, count, size = hashlib.sha256(), 0, 0
    for name, path in _below(folder):
        try:
            stat = os.stat(path)
        except OSError as error:
            raise DataError(f"'{path}' cannot be read: {error.strerror}.", path="problem") from error
        if not S_ISREG(stat.st_mode):
            require_regular(Path(path), "problem")
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        count, size = count + 1, size + stat.st_size
    return {"path": str(folder), "files": count, "bytes": size, "listing": digest.hexdigest()}


def source_sizes(problem: Any) -> list[tuple[Path, int]]:
    """Lists the files and folders that a problem reads, each with its size in bytes; a folder counts all files below it."""
    sources = list(problem.source_files())
    return [(path, folder_note(path)["bytes"] if path.is_dir() else path.stat().st_size) for path in sources]


def option_files(problem: Any) -> list[Path]:
    """Lists the files that a problem's options `path` and `…_files` name.

    A folder stands for all files below it that are not hidden, or for itself if these are more than 1,000.

    Raises:
        DataError: One does not exist.
    """
    files: list[Path] = []
    for option, value in _file_options(problem).items():
        for name in [value] if isinstance(value, str) else value:
            path = Path(name).expanduser()
            if not path.exists():
                raise DataError(f"'{name}' does not exist.", path=f"problem.{option}")
            few = list(itertools.islice(_below(path), MANY + 1)) if path.is_dir() else []
            if path.is_dir() and len(few) <= MANY:
                files += sorted(Path(below) for _, below in few)
            else:
                files.append(path)
    return files


def say_reused(problem: Any, folder: Path) -> None:
    """Logs that data in a folder, prepared earlier, is reused; once for each folder."""
    _say_reused(type(problem).__name__, folder)


@functools.cache
def _say_reused(name: str, folder: Path) -> None:
    logger.info("%s: using the data that was prepared before in '%s'", name, folder)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Locks a folder for preparing it. The lock ends with the process, however it ends.

    Raises:
        ResourceError: Another process holds it.
    """
    refused = "'{}' is being prepared by {}. Wait until it is done, then run this again."
    with disk.exclusive(
        folder.with_name(f".{folder.name}.lock"), lambda holder: ResourceError(refused.format(folder, holder))
    ):
        yield


def _file_options(problem: Any) -> dict[str, Any]:
    node = describe(problem, full=True)
    if not isinstance(node, dict):
        raise RecipeError(f"{type(problem).__name__} is not registered. Put @kt2t.register above the class.")
    return {k: v for k, v in node.items() if (k == "path" or k.endswith("_files")) and v}


def _content_options(problem: Any, has_sources: bool) -> dict[str, Any]:
    """The options that decide the records: without those of training; of files, their number and not their place."""
    named_by_content = _file_options(problem) if has_sources else {}
    node = _as_before(describe(problem, full=True), type(problem))
    left_out = {*problem.training_options, *named_by_content}
    shapes = {k: len(v) if isinstance(v, list) else 1 for k, v in named_by_content.items()}
    return {**{key: value for key, value in node.items() if key not in left_out}, "files": shapes}


def _as_before(node: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """A node without the options that came after data had been prepared, where they are not given.

    A class names them in `later_options`. So data that was prepared before they came is found again.
    """
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if value is None and key in getattr(cls, "later_options", ()):
            continue
        if isinstance(value, Mapping) and isinstance(value.get("type"), str):
            with contextlib.suppress(RecipeError):  # a class that is no longer found has no such options
                value = _as_before(value, lookup(value["type"], key))
        kept[key] = value
    return kept


def _named_by_role(problem: Any, notes: Sequence[Mapping[str, Any]]) -> list[tuple[Any, str]]:
    """For each source: the options that name it or a folder above it, its path from there, and its digest."""
    places = [
        (option, number, _absolute(name))
        for option, value in (_file_options(problem) if notes else {}).items()
        for number, name in enumerate([value] if isinstance(value, str) else value)
    ]
    found = []
    for note in notes:
        file = _absolute(note["path"])
        itself = "" if "listing" in note else file.name  # a folder may have any name, as it may be anywhere
        roles = [
            (option, number, itself if file == place else file.relative_to(place).as_posix())
            for option, number, place in places
            if file.is_relative_to(place)
        ]
        # A file without a role was chosen by the problem's own `source_files`, or named by its code.
        found.append((roles or file.name, note.get("sha256") or note["listing"]))
    return found


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _file_note(path: Path, cache: dict[str, Any]) -> dict[str, Any]:
    require_regular(path, "problem")
    try:
        stat = path.stat()
        key = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = cache.get(str(path.resolve()))
        if known is None or known[:3] != key:
            known = [*key, disk.sha256(path)]
            # A file written this very moment may change again without its time changing.
            if abs(time.time_ns() - stat.st_mtime_ns) > 2e9:
                cache[str(path.resolve())] = known
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.", path="problem") from error
    return {"path": str(path), "bytes": known[0], "sha256": known[3]}


def _below(folder: Path) -> Iterator[tuple[str, str]]:
    """The name below a folder, with `/`, and the path of every file that is not hidden, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(place, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in sorted(names):
            if not name.startswith("."):
                yield prefix + name, os.path.join(place, name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _read_cache(path: Path) -> dict[str, Any]:
    try:
        cache = json.loads(path.read_text(encoding="utf-8"))
        return cache if isinstance(cache, dict) else {}
    except (OSError, ValueError):
        return {}


def _write_cache(path: Path, cache: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # without the cache the files are hashed again
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.whole_file(path, json.dumps(cache))
