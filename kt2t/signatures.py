"""Reads the options of a class from its source, so that a misspelt option is found without importing the class."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

from kt2t import registry


def static_options(name: str, slot: str | None = None) -> dict[str, bool] | None:
    """Returns the options of a class, each with whether it is required. None if the source does not show them.

    Args:
        name: A bare `type` of a recipe.
        slot: The option that holds the node, as in `registry.lookup`.
    """
    rooms, keras_modules = registry.SLOTS.get(slot or "", (registry.ROOMS, ()))
    for room in rooms:
        if name in registry.table(room):
            return _options_in(_source_in(room, name), name)
    for keras_module in keras_modules:
        source = source_of(keras_module)
        if source is not None and name in registry.keras_names(keras_module):
            return _options_in(source, name)
    for room in registry.ROOMS:
        if name in registry.table(room):
            return _options_in(_source_in(room, name), name)
    return None


def _source_in(room: str, name: str) -> Path | None:
    module = registry.table(room)[name]
    return source_of(room if room.endswith(f".{module}") else f"{room}.{module}")


def _options_in(source: Path | None, name: str) -> dict[str, bool] | None:
    if source is None:
        return None
    tree = _tree(source)
    origin = _imports(tree).get(name)
    if origin is not None:
        return _options_in(source_of(origin), name)
    node = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
    if node is None:
        return None
    constructor = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if constructor is None:
        return _inherited(source, node)
    found = _arguments(constructor.args)
    if constructor.args.kwarg is not None and not str(source).endswith("/optimizer.py"):
        further, filled = _inherited(source, node) or {}, _filled_in(source, name)
        # Keras's own bases add name, dtype and trainable only.
        found = {**{option: needed for option, needed in further.items() if option not in filled}, **found}
    return found


def _inherited(source: Path, node: ast.ClassDef) -> dict[str, bool] | None:
    found: dict[str, bool] = {}
    filled: set[str] = set()
    for base in node.bases:
        if ast.unparse(base) == "keras.layers.Layer":  # takes name, dtype and trainable only
            continue
        options = _options_in(source, base.id) if isinstance(base, ast.Name) else None
        if options is None or not isinstance(base, ast.Name):
            return None
        found = {**{name: needed for name, needed in options.items() if name not in filled}, **found}
        filled |= _filled_in(source, base.id)
    return found


def _filled_in(source: Path, name: str) -> set[str]:
    """What a class names in `fills_in`: options of further bases that its constructor supplies itself."""
    tree = _tree(source)
    origin = _imports(tree).get(name)
    if origin is not None:
        found = source_of(origin)
        return set() if found is None else _filled_in(found, name)
    body = next((n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), [])
    for statement in body:
        if isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == ["fills_in"]:
            return set(ast.literal_eval(statement.value))
    return set()


def _arguments(arguments: ast.arguments) -> dict[str, bool]:
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    without_default = len(positional) - len(arguments.defaults)
    found = {a.arg: index < without_default for index, a in enumerate(positional)}
    found.update(
        {a.arg: default is None for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)}
    )
    return found


def _imports(tree: ast.Module) -> dict[str, str]:
    return {
        (alias.asname or alias.name): node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }


@functools.cache
def _tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))


@functools.cache
def source_of(module: str) -> Path | None:
    """Finds the source file of a module without importing it; None if there is none."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not below:
        return Path(spec.origin) if spec.origin else None
    for root in (Path(place) for place in spec.submodule_search_locations or ()):
        for start in (root, root / "api"):
            for file in (start.joinpath(*below).with_suffix(".py"), start.joinpath(*below, "__init__.py")):
                if file.is_file():
                    return file
    return None
