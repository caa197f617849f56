"""The user's own modules: finds those that a recipe's dotted types name, and notices when they have changed."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Plugins = dict[str, dict[str, str]]


def find(nodes: Any, folder: Path) -> Plugins:
    """Finds the modules of dotted types, installed or in the recipe's folder, and makes them importable.

    Args:
        nodes: The nodes of a recipe.
        folder: The recipe's folder.

    Returns:
        The `file` and `sha256` of each module. Modules that are not found are left out; building the type reports them.
    """
    found: Plugins = {}
    for name in dict.fromkeys(_types(nodes)):
        module, dot, _ = name.rpartition(".")
        if dot and module.partition(".")[0] not in ("kt2t", "keras"):
            file = _file(module, folder)
            if file is not None:
                found[module] = {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    return found


def changed(kept: Plugins, now: Plugins) -> list[str]:
    """Returns a warning for each module that is missing, or has changed, since a run began."""
    warnings = []
    for module, note in kept.items():
        here = now.get(module)
        if here is None:
            warnings.append(
                f"the module {module!r} of this run is not found; it was {note['file']}. Put it there, beside the run "
                "folder or into the working folder, or name its folder in PYTHONPATH."
            )
        elif here["sha256"] != note["sha256"]:
            warnings.append(f"the module {module!r} ({here['file']}) has changed since this run began")
    return warnings


def folder_of(module: str, file: Path) -> Path:
    """The folder from which a module is imported, given the module's file."""
    below = module.count(".") + (file.name == "__init__.py")
    return file.parents[min(below, len(file.parents) - 1)]


def _file(module: str, folder: Path) -> Path | None:
    if not all(map(str.isidentifier, module.split("."))):
        return None
    top = module.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        if not (folder / f"{top}.py").is_file() and not (folder / top).is_dir():
            return None
        sys.path.append(str(folder.resolve()))
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    file = Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
    return file if file is not None and file.is_file() else None  # a module that was imported may be gone by now


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for item in value.values():
            yield from _types(item)
    elif isinstance(value, list):
        for item in value:
            yield from _types(item)
