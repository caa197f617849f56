"""Lists the possible completions of a word on the command line: recipes, runs, recipe keys and checkpoints.

Imports neither keras nor numpy, since a shell calls this at each press of the tab key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kt2t.errors import Kt2tError
from kt2t.recipe import SUPPLIED, Recipe
from kt2t.recipe_file import short_names
from kt2t.signatures import static_options

RUNS = Path("runs")
DEPTH = 4  # levels of folders in which runs are searched for
SEARCHES = ("Greedy", "Beam", "Sample")


def recipes(begun: str) -> list[str]:
    """Returns the recipes that begin with `begun`, sorted: short names such as `quickstart`, and paths of YAML files.

    Args:
        begun: The word typed so far. YAML files are searched for in the folder that it names.
    """
    files = [str(file) for file in Path(os.path.dirname(begun)).glob("*.yaml")]
    return sorted(name for name in [*short_names(), *files] if name.startswith(begun))


def runs(begun: str) -> list[str]:
    """Returns the run folders whose path begins with `begun`, sorted.

    Args:
        begun: The word typed so far. Runs are searched for below `runs` and below the folder that it names, up to four
            levels deep.
    """
    typed = Path(os.path.dirname(begun) or ".")
    places = [RUNS] if typed in (Path("."), RUNS) else [RUNS, typed]
    found = {str(run) for place in places for run in _runs_in(place, DEPTH)}
    return sorted(name for name in found if name.startswith(begun))


def checkpoints(run: Path) -> list[str]:
    """Returns the values of `--checkpoint` for a run: `last`, `best` (if the run has one), `average`, then its steps.

    The newest step comes first. The list is empty if the run has no checkpoints.
    """
    folder = run / "checkpoints"
    steps = [path.name.removeprefix("step-") for path in folder.glob("step-*") if path.name[5:].isdigit()]
    words = ["last", *(["best"] if (folder / "best.json").is_file() else []), "average"] if steps else []
    return [*words, *sorted(steps, key=int, reverse=True)]


def keys(recipe: str, begun: str) -> list[str]:
    """Returns the override keys, such as `train.steps=`, that a recipe or run accepts and that begin with `begun`.

    Args:
        recipe: A recipe's short name or file, or a run folder. If it cannot be read, no keys are returned.
        begun: The word typed so far.
    """
    try:
        nodes = _nodes(recipe)
    except (Kt2tError, OSError, ValueError, KeyError):
        return []
    found: list[str] = []
    for section, node in nodes.items():
        kind = {"train": "Train", "report": "Report"}.get(section)
        found += _keys_of({**node, "type": kind} if kind else node, section, section)
    return sorted({key for key in found if key.startswith(begun)})


def keys_of_a_run(run: Path, begun: str) -> list[str]:
    """Returns the override keys that `evaluate` and `predict` accept and that begin with `begun`.

    They are the options of the search (`report.decode.beams=`), and the paths of the data (`problem.path=`).

    Args:
        run: The run folder.
        begun: The word typed so far.
    """
    decode = {"type", *(option for search in SEARCHES for option in static_options(search, "decode") or {})}
    places = [key for key in keys(str(run), "problem.") if key == "problem.path=" or key.endswith("_files=")]
    return sorted(key for key in [*(f"report.decode.{option}=" for option in decode), *places] if key.startswith(begun))


def _nodes(name: str) -> dict[str, dict[str, Any]]:
    from kt2t.recipe_file import load

    manifest = Path(name) / "run.json"
    if manifest.is_file():
        return Recipe(**json.loads(manifest.read_text(encoding="utf-8"))["given"]).nodes
    return load(name).nodes


def _keys_of(node: dict[str, Any], slot: str, path: str) -> Iterator[str]:
    known = static_options(node["type"], slot) if isinstance(node.get("type"), str) else None
    supplied = SUPPLIED.get(slot, ())
    if slot not in ("train", "report"):
        yield f"{path}.type="
    for option in dict.fromkeys([*(known or ()), *(key for key in node if key != "type")]):
        if option not in supplied:
            yield f"{path}.{option}="
        if isinstance(node.get(option), dict):
            yield from _keys_of(node[option], option, f"{path}.{option}")


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "run.json").is_file():
        yield folder
        return
    try:
        below = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return
    for one in below if depth else ():
        yield from _runs_in(one, depth - 1)
