"""Lists what a recipe or a script may name, each with the first line of its docstring. Imports none of it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt2t import registry
from kt2t.data import BASES
from kt2t.recipe_file import short_names
from kt2t.signatures import source_of


@dataclass(frozen=True)
class Kind:
    """Where the classes of a kind are: our package, which of its modules, and Keras's module of such classes."""

    room: str
    holds: Callable[[str], bool] = lambda module: True
    of_keras: str | None = None


def _below(*modules: str) -> Callable[[str], bool]:
    return lambda module: module.partition(".")[0] in modules


KINDS = {
    "problems": Kind("kt2t.data", lambda module: not module.startswith("vocabularies.")),
    "models": Kind("kt2t.models"),
    "layers": Kind("kt2t.layers"),
    "vocabularies": Kind("kt2t.data", _below("vocabularies")),
    "optimizers": Kind("kt2t.training", _below("optimizers"), "keras.optimizers"),
    "schedules": Kind("kt2t.training", _below("schedules", "decays"), "keras.optimizers.schedules"),
    "losses": Kind("kt2t.losses", of_keras="keras.losses"),
    "metrics": Kind("kt2t.metrics", of_keras="keras.metrics"),
    "scores": Kind("kt2t.scores"),
    "searches": Kind("kt2t.decoding"),
    "callbacks": Kind("kt2t.callbacks"),
}
WHAT = ("problems", "models", "recipes", *[kind for kind in KINDS if kind not in ("problems", "models")])
_NO_CHOICE = {*BASES, "Search", "Decodes"}  # classes to inherit from


def listed(what: str) -> list[dict[str, Any]]:
    """Returns a row for each thing of a kind: its name, what it is, and `from` where Keras has such classes too.

    Args:
        what: One of `WHAT`.
    """
    if what == "recipes":
        return _recipes()
    kind = KINDS[what]
    ours = {name: module for name, module in sorted(registry.table(kind.room).items()) if kind.holds(module)}
    ours = {name: module for name, module in ours.items() if name[:1].isupper() and name not in _NO_CHOICE}
    rows = [{"name": name, "about": first_line(f"{kind.room}.{module}", name)} for name, module in ours.items()]
    if kind.of_keras is None:
        return rows
    theirs = [name for name in registry.keras_names(kind.of_keras) if name not in ours]
    return [
        *({"name": row["name"], "from": "kt2t", "about": row["about"]} for row in rows),
        *({"name": name, "from": "Keras", "about": first_line(kind.of_keras, name)} for name in theirs),
    ]


def _recipes() -> list[dict[str, Any]]:
    found = []
    for name, file in sorted(short_names().items()):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        found.append({"name": name, "about": first.lstrip("# ").strip()})
    return found


def first_line(module: str, name: str) -> str:
    """Returns the first line of a class's docstring, read from its source; '' if it has none."""
    source = source_of(module)
    return "" if source is None else _first_line(source, name)


def _first_line(source: Path, name: str) -> str:
    for node in _tree(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return first_line(node.module, alias.name)
    return ""


@functools.cache
def _tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))
