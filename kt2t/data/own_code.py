"""Describes the code that makes a problem's examples, so that a change of it prepares the data again."""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import inspect
import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

import numpy as np

from kt2t import disk

PLAIN = (str, bytes, int, float, complex, NoneType, list, tuple, dict, set, frozenset)
LONGEST_PATH = 4096
MOST_PARTS = 1000  # of a list or mapping, in which objects and names of files are looked for


def own_code(cls: type) -> tuple[list[str], list[Path]]:
    """Describes a problem class and everything outside kt2t that its functions refer to.

    A class in a file is described by the file and all files of the user's own that it imports, directly or not. A class
    without a file, as in a notebook, is described by its functions and plain values, and by the functions, classes and
    values that these refer to, to any depth. Installed packages are left out.

    Returns:
        The description, and the files that the code names in a constant text.
    """
    found = []
    references = _References()
    for owner in cls.__mro__:
        if owner is object or owner.__module__.partition(".")[0] == "kt2t":
            continue
        file = _module_digest(owner.__module__)
        found += [file, *_sources(owner)] if file else [*_values(owner), *_sources(owner)]
        references.known.add(owner.__module__ if file else f"{owner.__module__}.{owner.__qualname__}")
        references.add_class(owner)
    return found + references.lines(), sorted(references.files)


def is_users(module: str) -> bool:
    """Whether a module is the user's own: not of kt2t, the standard library or an installed package."""
    top = module.partition(".")[0]
    if top == "kt2t" or top in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return not {"site-packages", "dist-packages"} & set(Path(file).parts)


class _References:
    """Collects what functions refer to: globals, closures, defaults, and what these refer to in turn."""

    def __init__(self) -> None:
        self.known: set[str] = set()  # what is described already
        self.files: set[Path] = set()
        self._found: set[tuple[str, str]] = set()  # name and description; several closures may have one name
        self._visited: dict[int, Any] = {}  # by id; holds the objects, so that no id is used twice

    def lines(self) -> list[str]:
        """One line for each thing found, in a fixed order."""
        return [f"{name}: {content}" for name, content in sorted(self._found) if name not in self.known]

    def add_class(self, cls: type) -> None:
        """Adds what the functions and attributes of a class refer to."""
        has_file = bool(_module_digest(cls.__module__))
        for name, value in vars(cls).items():
            if not name.startswith("__") or isinstance(value, FunctionType):
                for one in _unbound(value):
                    self._add(f"{cls.__module__}.{cls.__qualname__}.{name}", one, has_file)

    def _add(self, name: str, value: Any, has_file: bool) -> None:
        """Adds a value; `has_file` tells that a value without code is described by the file that it is in."""
        if id(value) in self._visited and not isinstance(value, PLAIN):
            return
        self._visited[id(value)] = value
        if isinstance(value, ModuleType):
            self._add_module(value.__name__)
        elif isinstance(value, MethodType | staticmethod | classmethod):
            self._add(name, value.__func__, has_file)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self._add(name, part, has_file)
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(getattr(value, "__wrapped__", None), FunctionType):
            self._add_function(value.__wrapped__)
        elif isinstance(value, type):
            if is_users(value.__module__):
                if not self._add_module(value.__module__):
                    content = repr([*_values(value), *_sources(value)])
                    self._found.add((f"{value.__module__}.{value.__qualname__}", content))
                self.add_class(value)
        else:
            self._add_value(name, value, has_file)

    def _add_value(self, name: str, value: Any, has_file: bool) -> None:
        if isinstance(value, str | os.PathLike):
            self._add_path(value)
        if not has_file:
            content = repr(_plain(value))
            digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
            self._found.add((name, digest if len(content) > MOST_PARTS else content))
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list | tuple | set | frozenset):
            for part in itertools.islice(value, MOST_PARTS):
                if not isinstance(part, PLAIN) or isinstance(part, str):
                    self._add(name, part, has_file=True)
        elif is_users(type(value).__module__):
            self._add(name, type(value), has_file)
            for attribute, part in sorted(getattr(value, "__dict__", {}).items()):
                self._add(f"{name}.{attribute}", part, has_file)

    def _add_function(self, function: FunctionType) -> None:
        if not is_users(function.__module__ or ""):
            return
        has_file = self._add_module(function.__module__)
        if not has_file:
            self._found.add((f"{function.__module__}.{function.__qualname__}", _source(function)))
        for code in _codes(function.__code__):
            for constant in code.co_consts:
                if isinstance(constant, str):
                    self._add_path(constant)
            for name in _globals(code):
                if name in function.__globals__:
                    self._add(f"{function.__module__}.{name}", function.__globals__[name], has_file)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                self._add(f"{function.__qualname__}.{name}", cell.cell_contents, has_file=False)
            except ValueError:  # not assigned yet
                continue
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._add(f"{function.__qualname__}'s default", value, has_file)

    def _add_module(self, module: str) -> bool:
        """Adds the file of a user's module and those that it imports; whether there is a file."""
        if not is_users(module):
            return True
        digest = _module_digest(module)
        if digest and (module, digest) not in self._found:
            self._found.add((module, digest))
            for name in _imports(module):
                if name in sys.modules and is_users(name):
                    self._add_module(name)
        return bool(digest)

    def _add_path(self, value: Any) -> None:
        text = os.fspath(value)
        if isinstance(text, str) and 0 < len(text) < LONGEST_PATH and "\n" not in text and ("." in text or os.sep in text):
            path = Path(text).expanduser() if "\0" not in text else Path()
            try:
                if path.is_file():
                    self.files.add(path)
            except OSError:
                return


def _unbound(value: Any) -> Iterator[Any]:
    """The functions behind a property or a static, class or cached method; any other value as it is."""
    if isinstance(value, property):
        yield from (one for one in (value.fget, value.fset, value.fdel) if one is not None)
    else:
        one = getattr(value, "__func__", getattr(value, "func", value))
        yield inspect.unwrap(one) if callable(one) and not isinstance(one, type) else one


def _sources(owner: type) -> list[str]:
    """The source of a class's own methods, static and class methods and properties."""
    functions = [one for value in vars(owner).values() for one in _unbound(value)]
    return [_source(one) for one in functions if isinstance(one, FunctionType) and one.__module__ == owner.__module__]


def _values(owner: type) -> list[str]:
    names = sorted(name for name in vars(owner) if not name.startswith("__"))
    return [f"{name} = {_plain(vars(owner)[name])!r}" for name in names if isinstance(vars(owner)[name], PLAIN)]


def _plain(value: Any) -> Any:
    """A value whose repr is the same in every process."""
    if isinstance(value, Mapping):
        return [(_plain(key), _plain(one)) for key, one in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(repr(_plain(one)) for one in value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, re.Pattern):
        return value.pattern, value.flags
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, np.generic | os.PathLike):
        return str(value)
    return value if isinstance(value, PLAIN) else type(value).__qualname__  # a repr would hold its address


def _source(function: FunctionType) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return hashlib.sha256(b"".join(map(_bytes_of, _codes(function.__code__)))).hexdigest()


def _bytes_of(code: CodeType) -> bytes:
    constants = [one for one in code.co_consts if not isinstance(one, CodeType)]  # the repr of code holds its address
    constants = [_plain(one) if isinstance(one, frozenset) else one for one in constants]
    return code.co_code + repr((code.co_names, constants)).encode()


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions, classes and comprehensions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _globals(code: CodeType) -> Iterable[str]:
    loads = ("LOAD_GLOBAL", "LOAD_NAME")
    return sorted({str(one.argval) for one in dis.get_instructions(code) if one.opname in loads})


def _module_digest(module: str) -> str:
    """The sha256 of a module's file; empty where it has none, as in a notebook."""
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        return disk.sha256(Path(file)) if file else ""
    except OSError:
        return ""


def _imports(module: str) -> set[str]:
    """The modules that a module's file imports, by name."""
    names: set[str] = set()
    file = getattr(sys.modules.get(module), "__file__", None)
    package = getattr(sys.modules.get(module), "__package__", None) or ""
    try:
        tree = ast.parse(Path(file or "").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return names
