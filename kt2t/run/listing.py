"""Lists the names that a recipe or script can use, such as all models, each with its docstring's first line.

The classes are not imported; their docstrings are read from the source.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any

from kt2t.kinds import KINDS
from kt2t.recipe_file import short_names
from kt2t.signatures import source_of

WHAT = ("problems", "models", "recipes", *[kind for kind in KINDS if kind not in ("problems", "models")])


def listed(what: str) -> list[dict[str, Any]]:
    """Returns a row for each recipe or class of a kind, with the keys `name` and `about`, its docstring's first line.

    For kinds of which Keras has classes too, rows also have the key `from`, with the value `kt2t` or `Keras`.

    Args:
        what: The kind, one of `WHAT`, such as `models` or `recipes`.
    """
    if what == "recipes":
        return _recipes()
    kind = KINDS[what]
    rows = [{"name": name, "about": first_line(f"{kind.room}.{module}", name)} for name, module in kind.ours().items()]
    if kind.of_keras is None:
        return rows
    theirs = kind.of_keras_alone()
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
    """Returns the first line of a class's or function's docstring, read from the module's source; '' if it has none.

    Args:
        module: Dotted name of the module, which is not imported.
        name: Name of the class or function in the module.
    """
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
