"""`kt2t list`: lists problems, models, recipes or layers."""

from __future__ import annotations

import ast
from typing import Any

import click

from kt2t import registry
from kt2t.cli.console import json_option, result, table
from kt2t.data import BASES
from kt2t.recipe_file import short_names
from kt2t.signatures import source_of

ROOMS = {"problems": "kt2t.data", "models": "kt2t.models", "layers": "kt2t.layers"}


@click.command("list", short_help="List problems, models, recipes or layers.")
@click.argument("what", type=click.Choice(["problems", "models", "recipes", "layers"]))
@json_option
def command(what: str, as_json: bool) -> None:
    """List problems, models, recipes or layers, with one line about each."""
    rows = _recipes() if what == "recipes" else _classes(ROOMS[what], what)
    result(rows, as_json, table)


def _recipes() -> list[dict[str, Any]]:
    found = []
    for name, file in sorted(short_names().items()):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        found.append({"name": name, "about": first.lstrip("# ").strip()})
    return found


def _classes(room: str, what: str) -> list[dict[str, Any]]:
    found = []
    for name, module in sorted(registry.table(room).items()):
        if name in BASES:
            continue
        if what == "problems" and module.startswith("vocabularies") or not name[:1].isupper():
            continue
        found.append({"name": name, "about": _first_line(f"{room}.{module}", name)})
    return found


def _first_line(module: str, name: str) -> str:
    source = source_of(module)
    tree = ast.parse(source.read_text(encoding="utf-8")) if source else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""
