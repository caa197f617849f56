"""Reads YAML safely, with the line of every value. Plain data only, YAML 1.2 numbers, no duplicate keys, bounded size."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kt2t.errors import RecipeError

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_VALUES = 20_000

Path_ = tuple[str | int, ...]

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*(_[0-9]{3})*)\Z")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_STRANGE = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}
_KNOWN_TAGS = tuple(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp", "merge", "value")
)


@dataclass
class Marked:
    """Plain data, with the line number of each value by its path."""

    value: Any
    lines: dict[Path_, int] = field(default_factory=dict)


def read_file(file: Path) -> Marked:
    """Reads a YAML file.

    Raises:
        ValueError: The file is not UTF-8, not YAML, too large or too deep, or has a duplicate key or a tag. The message
            names file and line.
    """
    if file.is_dir():
        raise RecipeError("this is a folder, not a recipe.", file=str(file))
    data = file.read_bytes()
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{len(data):,} bytes; a recipe has at most {MAX_BYTES:,}.", file=str(file))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RecipeError(
            f"byte 0x{data[error.start]:02x} is not UTF-8. Save the file as UTF-8.", file=str(file), line=line
        ) from None
    return read(text, str(file))


def read(text: str, file: str | None = None) -> Marked:
    """Reads YAML text; `file` is only used in error messages."""
    try:
        _bounded(text, file)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, file) from None
    marked = Marked(None)
    if node is not None:
        marked.value = _Reader(file, marked.lines).value(node, ())
    return marked


def scalar(text: str) -> Any:
    """Converts an unquoted word: to a YAML 1.2 number, true, false or null (~), else it stays text."""
    if text.lower() in _WORDS and text in (text.lower(), text.title(), text.upper()):
        return _WORDS[text.lower()]
    if _WHOLE.match(text):
        return int(text.replace("_", ""))
    if _REAL.match(text) and any(mark in text for mark in ".eE"):
        return float(text.replace("_", ""))
    return _STRANGE.get(text.lower(), text)


def _bounded(text: str, file: str | None) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise RecipeError(f"nested deeper than {MAX_DEPTH} levels.", file=file, line=line)


class _Reader:
    def __init__(self, file: str | None, lines: dict[Path_, int]) -> None:
        self.file = file
        self.lines = lines
        self.count = 0

    def value(self, node: yaml.Node, path: Path_) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise self.error(node, f"more than {MAX_VALUES:,} values or {MAX_DEPTH} levels; are the aliases a loop?")
        if node.tag not in _KNOWN_TAGS:
            raise self.error(node, f"the tag {node.tag!r} is not allowed: a recipe is plain data.")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        plain = getattr(node, "style", None) is None
        return scalar(node.value) if plain else node.value

    def mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(key_node, "a key must be a word.")
            key = key_node.value
            if key in found:
                first = self.lines[(*path, key)]
                raise self.error(key_node, f"{key!r} stands here again; it is already on line {first}. Keep one.")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, (*path, key))
        return found

    def error(self, node: yaml.Node, message: str) -> RecipeError:
        return RecipeError(message, file=self.file, line=node.start_mark.line + 1)


def _syntax_error(error: yaml.YAMLError, text: str, file: str | None) -> RecipeError:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        column = error.position - before.rfind("\n")
        return RecipeError(
            f"the character U+{error.character:04X} (column {column}) is not allowed.",
            file=file,
            line=before.count("\n") + 1,
        )
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    if "'\\t'" in problem:
        problem += "; indent with spaces, not tabs"
    where = f" (column {mark.column + 1})" if mark else ""
    return RecipeError(f"{problem}{where}.", file=file, line=mark.line + 1 if mark else None)
