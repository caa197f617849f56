"""Where a prepared problem lives: a folder named by the problem and a hash of its options and source files."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, NoneType
from typing import Any

from kt2t import disk
from kt2t.data.prepared import FORMAT
from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError, RecipeError, ResourceError
from kt2t.registry import describe

CACHE = ".sha256.json"
PLAIN = (str, bytes, int, float, complex, NoneType, list, tuple, dict, set, frozenset)


def data_directory(data_dir: str | Path | None = None) -> Path:
    """Where prepared problems live: what is given, `KT2T_DATA`, or `~/.cache/kt2t`."""
    return Path(data_dir or os.environ.get("KT2T_DATA") or "~/.cache/kt2t").expanduser()


def folder_for(problem: Any, data_dir: str | Path | None = None) -> Path:
    """The folder of a prepared problem, whether it is there or not.

    Raises:
        DataError: A source file does not exist.
    """
    root = data_directory(data_dir)
    content = {
        "format": FORMAT,
        "problem": _content_options(problem),
        "code": own_code(type(problem)),
        "vocabularies": problem.given_vocabularies(),
        "sources": _named_by_role(problem, source_notes(problem, root)),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
    return root / f"{_snake(type(problem).__name__)}-{digest[:12]}"


def source_notes(problem: Any, root: Path) -> list[dict[str, Any]]:
    """Path, size and sha256 of every source file of a problem; hashes are remembered while size and time stay the same.

    Raises:
        DataError: One is missing, is no file, or cannot be read.
    """
    cache = _read_cache(root / CACHE)
    notes, changed = [], False
    for path in problem.source_files():
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
                    changed = True
        except OSError as error:
            raise DataError(f"'{path}' cannot be read: {error.strerror}.", path="problem") from error
        notes.append({"path": str(path), "bytes": known[0], "sha256": known[3]})
    if changed:
        _write_cache(root / CACHE, cache)
    return notes


def option_files(problem: Any) -> list[Path]:
    """The files named by a problem's options `path` and `…_files`; of a folder, all that are not hidden.

    Raises:
        DataError: One does not exist.
    """
    files: list[Path] = []
    for option, value in _file_options(problem).items():
        for name in [value] if isinstance(value, str) else value:
            path = Path(name).expanduser()
            if not path.exists():
                raise DataError(f"'{name}' does not exist.", path=f"problem.{option}")
            files += sorted(_below(path)) if path.is_dir() else [path]
    return files


def own_code(cls: type) -> list[str]:
    """What a problem class and its parents outside kt2t are made of, so that a change of it prepares anew.

    It is the whole file of each class's module, for the sake of helpers beside the class, and its own functions. Without
    a file, as in a notebook, it is the class's functions and plain values. What the module imports does not count.
    """
    found = []
    for owner in cls.__mro__:
        if owner is object or owner.__module__.partition(".")[0] == "kt2t":
            continue
        file = _module_digest(owner.__module__)
        found += [file, *_functions(owner)] if file else [*_values(owner), *_functions(owner)]
    return found


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the right to prepare a folder; it is given up when the process ends, however it ends.

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


def _content_options(problem: Any) -> dict[str, Any]:
    """What decides the records: the options without those of training, and how many files each names, not where."""
    named_by_content = _file_options(problem) if problem.source_files() else {}
    node = describe(problem, full=True)
    left_out = {*problem.training_options, *named_by_content}
    shapes = {k: len(v) if isinstance(v, list) else 1 for k, v in named_by_content.items()}
    return {**{key: value for key, value in node.items() if key not in left_out}, "files": shapes}


def _named_by_role(problem: Any, notes: Sequence[Mapping[str, Any]]) -> list[tuple[Any, str]]:
    """Of each source file: which options name it or a folder above it, its path from there, and its sha256."""
    places = [
        (option, number, _absolute(name))
        for option, value in (_file_options(problem) if notes else {}).items()
        for number, name in enumerate([value] if isinstance(value, str) else value)
    ]
    found = []
    for note in notes:
        file = _absolute(note["path"])
        roles = [
            (option, number, file.name if file == place else file.relative_to(place).as_posix())
            for option, number, place in places
            if file.is_relative_to(place)
        ]
        # Without a role it is of a problem that says itself what its files are.
        found.append((roles or file.name, note["sha256"]))
    return found


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _module_digest(module: str) -> str:
    """The sha256 of a module's file; empty where it has none, as in a notebook."""
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        return disk.sha256(Path(file)) if file else ""
    except OSError:
        return ""


def _values(owner: type) -> list[str]:
    names = sorted(name for name in vars(owner) if not name.startswith("__"))
    return [f"{name} = {_plain(vars(owner)[name])!r}" for name in names if isinstance(vars(owner)[name], PLAIN)]


def _functions(owner: type) -> list[str]:
    """The source of a class's own methods, static and class methods and properties."""
    found = []
    for value in vars(owner).values():
        if isinstance(value, property):
            functions = [value.fget, value.fset, value.fdel]
        else:
            functions = [getattr(value, "__func__", getattr(value, "func", value))]  # of a static, class or cached one
        plain = [inspect.unwrap(one) for one in functions if callable(one)]
        found += [_source(one) for one in plain if isinstance(one, FunctionType) and one.__module__ == owner.__module__]
    return found


def _plain(value: Any) -> Any:
    """A value whose repr is the same in every process."""
    if isinstance(value, Mapping):
        return [(_plain(key), _plain(one)) for key, one in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(repr(_plain(one)) for one in value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, PLAIN) else type(value).__qualname__  # a repr would hold its address


def _source(function: FunctionType) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = function.__code__
        constants = [
            one for one in code.co_consts if not hasattr(one, "co_code")
        ]  # a nested function's repr is its address
        return hashlib.sha256(code.co_code + repr((code.co_names, constants)).encode()).hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


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
