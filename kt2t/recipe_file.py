"""Reads recipe files: finds them by short name, applies `extends`, `key=value` overrides and `=path` references."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kt2t import marked_yaml, plugins
from kt2t.errors import RecipeError
from kt2t.options import nearest
from kt2t.recipe import CHANGEABLE, SECTIONS, STEPS, Origin, Place, Recipe

COMMAND = "command line"
PACKAGE = Path(__file__).resolve().parent


def load(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """Loads a recipe by file or short name and applies overrides. The result is not checked yet.

    Args:
        name: A path, or a short name such as `translation/own`.
        overrides: `key=value` in YAML; `key=~` removes the key.

    Raises:
        ValueError: The recipe does not exist, is not valid YAML or has an unknown section, or an override does not apply.
    """
    file = find(name)
    value, origins = _extended(file)
    recipe = _overridden(value, origins, tuple(overrides))
    recipe.name = short_name(file)
    recipe.plugins = plugins.find(recipe.nodes, file.parent)
    return recipe


def recipe_of(nodes: Mapping[str, Any], overrides: Iterable[str] = ()) -> Recipe:
    """Makes a recipe from sections that come from no file, and applies overrides. The result is not checked yet.

    Args:
        nodes: The sections by name, such as `{"problem": {"type": "Copy"}, …}`.
        overrides: `key=value` in YAML; `key=~` removes the key.

    Raises:
        ValueError: There is an unknown section, or an override does not apply.
    """
    return _overridden(copy.deepcopy(dict(nodes)), {}, tuple(overrides))


def roots() -> list[Path]:
    """Returns the folders where short names are looked up: a checkout's `recipes/`, then the package's."""
    checkout = [PACKAGE.parent / "recipes"] if (PACKAGE.parent / "pyproject.toml").is_file() else []
    return [root for root in (*checkout, PACKAGE / "recipes") if root.is_dir()]


def short_names() -> dict[str, Path]:
    """Returns the files of all recipes that come with kt2t, by short name."""
    found: dict[str, Path] = {}
    for root in roots():
        for file in sorted(root.rglob("*.yaml")):
            found.setdefault(file.relative_to(root).with_suffix("").as_posix(), file)
    return found


def find(name: str) -> Path:
    """Finds the file of a recipe: `name` is a path or a short name.

    Raises:
        ValueError: There is no such recipe. The message suggests the nearest names.
    """
    path = Path(name).expanduser()
    if os.path.isfile(path) or (os.path.isdir(path) and path.suffix):  # Path.is_file raises if a name is too long
        return path
    known = short_names()
    if name.removesuffix(".yaml") in known:
        return known[name.removesuffix(".yaml")]
    if os.path.isdir(path):
        raise RecipeError(f"{name!r} is a folder, not a recipe.")
    hint = nearest(name, known, count=3) or "See `kt2t list recipes`."
    raise RecipeError(f"no recipe is called {name!r} and there is no such file. {hint}")


def short_name(file: Path) -> str:
    """Returns the short name of a recipe's file; runs are named after it."""
    for root in roots():
        if root in file.parents:
            return file.relative_to(root).with_suffix("").as_posix()
    return file.stem


def run_name(recipe: Recipe) -> str:
    """Names a run after its recipe. Overrides that change the training add a six-digit hash to the name."""
    same = ("report.", *(f"train.{name}=" for name in CHANGEABLE))
    kept = sorted(o for o in recipe.overrides if not o.startswith(same))
    if not kept:
        return recipe.name
    return f"{recipe.name}-{hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:6]}"


def _overridden(value: dict[str, Any], origins: dict[Place, Origin], overrides: tuple[str, ...]) -> Recipe:
    for override in overrides:
        _override(value, origins, override)
    given = {override.partition("=")[0].removeprefix("train.") for override in overrides if override.startswith("train.")}
    _keep_one_length(value, origins, given)
    _check_sections(value, origins)
    unresolved: list[RecipeError] = []
    references: dict[Place, Place] = {}
    nodes = _with_references(value, value, (), references, unresolved)
    recipe = Recipe(**{section: nodes[section] for section in SECTIONS if section in nodes})
    recipe.origins = origins
    recipe.overrides = overrides
    recipe.unresolved = unresolved
    recipe.references = references
    return recipe


def _extended(file: Path) -> tuple[dict[str, Any], dict[Place, Origin]]:
    child, origins = _read(file)
    parent_name = child.pop("extends", None)
    if parent_name is None:
        return child, origins
    try:
        beside = file.parent / f"{parent_name}.yaml"
        parent_file = beside if os.path.isfile(beside) else find(str(parent_name))
    except RecipeError as error:
        raise RecipeError(error.message, path="extends", file=str(file), line=origins[("extends",)].line) from None
    try:
        parent, parent_origins = _read(parent_file)
    except RecipeError as error:
        raise RecipeError(str(error), path="extends", file=str(file), line=origins[("extends",)].line) from None
    if "extends" in parent:
        raise RecipeError(
            f"{parent_name!r} itself extends {parent['extends']!r}; only one level is allowed. Extend that one, or copy it.",
            path="extends",
            file=str(file),
            line=origins[("extends",)].line,
        )
    _merge(parent, child, (), parent_origins, origins)
    own = child.get("train")
    _keep_one_length(parent, parent_origins, set(own) if isinstance(own, dict) else set())
    return parent, parent_origins


def _read(file: Path) -> tuple[dict[str, Any], dict[Place, Origin]]:
    try:
        marked = marked_yaml.read_file(file)
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}.", file=str(file)) from None
    if not isinstance(marked.value, dict):
        what = "empty" if marked.value is None else f"a {type(marked.value).__name__}"
        raise RecipeError(f"the recipe is {what}; it should have the sections {', '.join(SECTIONS)}.", file=str(file))
    return marked.value, {place: Origin(str(file), line) for place, line in marked.lines.items()}


def _merge(
    base: dict[str, Any],
    over: Mapping[str, Any],
    place: Place,
    into: dict[Place, Origin],
    origins: Mapping[Place, Origin],
) -> None:
    """A new `type` replaces the node, other keys merge, lists are replaced."""
    for key, value in over.items():
        here = (*place, key)
        both = isinstance(value, Mapping) and isinstance(base.get(key), dict)
        if both and value.get("type", base[key].get("type")) == base[key].get("type"):
            _merge(base[key], value, here, into, origins)
            into[here] = origins[here]  # errors point at the file that changed something
            continue
        for gone in [p for p in into if p[: len(here)] == here]:
            del into[gone]
        base[key] = value
        into.update({p: origin for p, origin in origins.items() if p[: len(here)] == here})


def _override(value: dict[str, Any], origins: dict[Place, Origin], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{override!r} is not key=value. Write for example train.steps=2000.")
    place: Place = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    holder: Any = value
    for depth, part in enumerate(place[:-1]):
        if isinstance(holder, dict) and isinstance(part, str):
            holder = holder.setdefault(part, {})
        elif isinstance(holder, list) and isinstance(part, int) and part < len(holder):
            holder = holder[part]
        else:
            above = ".".join(map(str, place[: depth + 1]))
            raise RecipeError(f"{above!r} is not a section that has options.", path=key, file=COMMAND)
        if not isinstance(holder, dict | list):
            above = ".".join(map(str, place[: depth + 1]))
            raise RecipeError(f"{above!r} is {holder!r}, not a section that has options.", path=key, file=COMMAND)
    try:
        new = None if text == "~" else marked_yaml.read(text).value
    except RecipeError as error:
        raise RecipeError(error.message, path=key, file=COMMAND) from None
    for gone in [p for p in origins if p[: len(place)] == place]:
        del origins[gone]
    if text == "~":
        _remove(holder, place[-1], key)
        return
    if isinstance(holder, list):
        if not isinstance(place[-1], int) or place[-1] >= len(holder):
            raise RecipeError(f"the list has {len(holder)} entries, counted from 0.", path=key, file=COMMAND)
        holder[place[-1]] = new
    else:
        holder[str(place[-1])] = new
    origins[place] = Origin(COMMAND)


def _keep_one_length(value: dict[str, Any], origins: dict[Place, Origin], given: set[str]) -> None:
    """Removes the `steps` that a recipe had if `epochs` are given in their place, and the other way round."""
    train = value.get("train")
    for one, other in (("epochs", "steps"), ("steps", "epochs")):
        if one in given and other not in given and isinstance(train, dict) and train.get(one) is not None:
            train.pop(other, None)
            origins.pop(("train", other), None)


def _remove(holder: Any, part: str | int, key: str) -> None:
    if isinstance(holder, dict) and part in holder:
        del holder[part]
        return
    hint = nearest(str(part), holder) if isinstance(holder, dict) else ""
    raise RecipeError(f"there is no {key!r} to remove. {hint}".rstrip(), path=key, file=COMMAND)


def _check_sections(value: Mapping[str, Any], origins: Mapping[Place, Origin]) -> None:
    for key, section in value.items():
        origin = origins.get((key,)) or next((o for p, o in origins.items() if p[:1] == (key,)), Origin(COMMAND))
        if key not in SECTIONS:
            raise RecipeError(
                f"a recipe has no section {key!r}. {nearest(key, [*SECTIONS, 'extends'])}".rstrip(),
                path=key,
                file=origin.file,
                line=origin.line,
            )
        if not isinstance(section, Mapping):
            raise RecipeError(
                f"{section!r} should be a mapping of options.", path=key, file=origin.file, line=origin.line
            )
    for section in ("problem", "model", "optimizer"):
        if section not in value:
            file = next((o.file for o in origins.values() if o.file != COMMAND), None)
            raise RecipeError(f"the section {section!r} is missing.", file=file)


def _with_references(
    value: Any, whole: Any, place: Place, references: dict[Place, Place], unresolved: list[RecipeError]
) -> Any:
    """Replaces references by what they refer to, and notes for each the place of that, as far as it exists."""
    if isinstance(value, dict):
        return {key: _with_references(item, whole, (*place, key), references, unresolved) for key, item in value.items()}
    if isinstance(value, list):
        return [
            _with_references(item, whole, (*place, index), references, unresolved) for index, item in enumerate(value)
        ]
    if isinstance(value, str) and value.startswith("=") and len(value) > 1:
        try:
            value, references[place] = _referred(value, whole), tuple(value[1:].split("."))
        except RecipeError as error:
            unresolved.append(RecipeError(error.message, path=".".join(map(str, place))))
            if error.path:
                references[place] = tuple(error.path.split("."))
    return value


def _referred(reference: str, whole: Any) -> Any:
    """Returns the value that a reference refers to. The path of an error is as much of the reference as there is."""
    if reference == STEPS and _counts_epochs(whole):
        return STEPS
    found, there = whole, ""
    for part in reference[1:].split("."):
        if not isinstance(found, dict) or part not in found:
            hint = nearest(part, found) if isinstance(found, dict) else ""
            message = f"{reference!r} refers to nothing in this recipe: there is no {part!r}. {hint}".rstrip()
            raise RecipeError(message, path=there)
        found, there = found[part], f"{there}.{part}".removeprefix(".")
    if isinstance(found, str) and found.startswith("="):
        raise RecipeError(f"{reference!r} refers to another reference, {found!r}. Write the value there.", path=there)
    return found


def _counts_epochs(whole: Any) -> bool:
    train = whole.get("train")
    return isinstance(train, dict) and train.get("epochs") is not None and train.get("steps") is None
