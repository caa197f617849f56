"""The folder of one run: its files, its lock, and the check that it belongs to a recipe.

recipe.yaml       the full recipe: every option, including defaults and the dtype that `auto` meant
run.json          format, versions, seed, the recipe as the user wrote it, the last step
vocabularies/     what `predict` needs besides the checkpoint
checkpoints/      step-N/
tensorboard/      event files
bad_batches/      batches whose gradient was not finite
log.txt           the log
lock              held while a command trains here
workers/          logs of all workers but the first (`kt2t launch`)

A run keeps two recipes. The user's recipe shows whether the same command comes again; the full one builds the same run
again, even if a default changes later.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kt2t import plugins
from kt2t.disk import exclusive, name_aside, whole_file, writing
from kt2t.errors import RunError
from kt2t.recipe import CHANGEABLE, FORMAT, SECTIONS, STEPS, Origin, Place, Recipe
from kt2t.recipe_file import load, recipe_of, short_names
from kt2t.versions import versions

if TYPE_CHECKING:
    from kt2t.training.manifest import Manifest

logger = logging.getLogger("kt2t")
_UNSET = "(not set)"
INSIDE = 3  # number of parent folders in which `_elsewhere` looks for a run
LISTED = 8  # number of runs that an error message names
ENTRIES = {
    "recipe.yaml",
    "run.json",
    "vocabularies",
    "checkpoints",
    "tensorboard",
    "bad_batches",
    "log.txt",
    "lock",
    "workers",
}


class RunFolder:
    """A run's folder on disk: its files, its lock and its recipe.

    Args:
        path: The folder; it need not exist yet.
        writes: Whether this process writes files here. With several workers only the first worker does.
    """

    def __init__(self, path: str | Path, writes: bool = True) -> None:
        self.path = Path(path)
        self.writes = writes
        self.recipe_file = self.path / "recipe.yaml"
        self.manifest_file = self.path / "run.json"
        self.vocabularies = self.path / "vocabularies"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.bad_batches = self.path / "bad_batches"
        self.log = self.path / "log.txt"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run, i.e. a file `run.json`."""
        return self.manifest_file.is_file()

    @property
    def has_checkpoints(self) -> bool:
        """Whether the folder holds checkpoints, intact or damaged."""
        return any(self.checkpoints.glob("step-*"))

    def begin(self, recipe: Recipe, full: Recipe, moved: bool = False) -> None:
        """Creates the folder for a recipe, or checks that the existing run in it was made from this recipe.

        Args:
            recipe: The recipe as the user wrote it.
            full: The recipe with every default written out.
            moved: Whether to accept other paths of the data than the run has, with a warning.

        Raises:
            RuntimeError: The folder holds a run of another recipe. The message lists the differences.
            OSError: The folder cannot be written.
        """
        if self.exists:
            self._check_same(recipe, moved)
            return
        if not self.writes:
            return
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            whole_file(self.recipe_file, full.to_yaml())
            self.write_manifest(
                {
                    "name": recipe.name,
                    "given": recipe.nodes,
                    "plugins": recipe.plugins,
                    "seed": full.train.seed,
                    "step": 0,
                }
            )

    def check_checkpoint(self, checkpoint: Manifest, full: Recipe) -> None:
        """Checks that a checkpoint was trained with this run's recipe; warns if only `train.strategy` was another.

        Options that only one of the two recipes has are not compared, because a later kt2t has more options.

        Raises:
            RuntimeError: The checkpoint's recipe differs from `full`, the run's full recipe. The message lists the
                differences.
        """
        if not isinstance(checkpoint.recipe, Mapping):
            return
        there, here = checkpoint.recipe, json.loads(json.dumps(full.nodes))
        different = sorted(one for one in _lasting_differences(there, here, moved=True) if _UNSET not in one)
        if different:
            raise RunError(
                f"{str(checkpoint.path)!r} is of another run. Different: {'; '.join(different)}. Move it back to its own "
                "run, or remove it."
            )
        before, now = ((one.get("train") or {}).get("strategy") for one in (there, here))
        if before != now:
            logger.warning(
                "trained with train.strategy %s so far, now with %s: the same numbers to float32 rounding.", before, now
            )

    def manifest(self) -> dict[str, Any]:
        """Reads `run.json`, the run's own description: format, versions, name, the user's recipe, and the last step.

        Raises:
            RuntimeError: The file is missing, unreadable or has another format.
        """
        try:
            found: dict[str, Any] = json.loads(self.manifest_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{str(self.path)!r} holds no run (there is no run.json). {self._elsewhere()}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{str(self.manifest_file)!r} cannot be read: {error}.") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            format = repr(found.get("format")) if isinstance(found, dict) else "none"
            raise RunError(f"{str(self.manifest_file)!r} has format {format}; this kt2t reads {FORMAT}.")
        return found

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Writes `run.json` with the given entries, its format, and the versions of the installed packages."""
        if not self.writes:
            return
        whole = {"format": FORMAT, "versions": versions(), **content}
        whole_file(self.manifest_file, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")

    def update(self, **content: Any) -> None:
        """Replaces the given entries of `run.json` and keeps the others."""
        if not self.writes:
            return
        self.write_manifest({**self.manifest(), **content})

    def recipe(self) -> Recipe:
        """Reads the run's full recipe, i.e. with every default written out, from `recipe.yaml`."""
        from kt2t import marked_yaml

        manifest = self.manifest()
        try:
            value = marked_yaml.read_file(self.recipe_file).value
            recipe = Recipe(**{section: value[section] for section in SECTIONS if section in value})
        except (OSError, TypeError, KeyError) as error:
            raise RunError(f"{str(self.recipe_file)!r} cannot be read: {error}.") from None
        self._complete(recipe, manifest)
        return recipe

    def user_recipe(self, overrides: Sequence[str] = ()) -> Recipe:
        """Returns the user's recipe of the run's last training, changed by `overrides` (`KEY=VALUE`) and not yet checked."""
        manifest = self.manifest()
        try:
            recipe = recipe_of(manifest["given"], overrides)
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{str(self.manifest_file)!r} does not tell the recipe: {error!r}.") from None
        before = _steps(manifest["given"])
        changed = type(before) is int and _steps(recipe.nodes) != before
        if changed and (same := sorted(_with_value(_lasting(manifest["given"]), before))):
            names = ", ".join(".".join(map(str, place)) for place in same)
            logger.warning("%s: stays %s. Give it as well if it is to follow train.steps.", names, f"{before:,}")
        origin = Origin(str(self.manifest_file))
        recipe.origins = {**{(section,): origin for section in recipe.nodes}, **recipe.origins}
        self._complete(recipe, manifest)
        return recipe

    def _complete(self, recipe: Recipe, manifest: Mapping[str, Any]) -> None:
        """Sets a recipe's name and plugin modules from `run.json`, and the paths of vocabularies in a run that was moved."""
        recipe.name = manifest.get("name", self.path.name)
        recipe.plugins = self._plugins(recipe, manifest.get("plugins", {}))
        for node in recipe.nodes["problem"].values():
            path = Path(node["path"]) if isinstance(node, dict) and isinstance(node.get("path"), str) else None
            if path is not None and not path.exists() and path.parent.parent.name == self.vocabularies.name:
                own = self.vocabularies.absolute() / path.parent.name / path.name
                node["path"] = str(own) if own.is_file() else node["path"]  # the run was moved

    def _elsewhere(self) -> str:
        """Returns a hint for an error message: where a run may be that was looked for in this folder."""
        if not self.path.is_absolute():
            hashed = f"{self.path.name}-??????"
            beside = Path("runs") / self.path
            places = [beside, *sorted(beside.parent.glob(hashed)), *sorted(self.path.parent.glob(hashed))]
            if found := [place for place in places if (place / self.manifest_file.name).is_file()]:
                return f"Did you mean {' or '.join(repr(str(place)) for place in found[:4])}?"
        for above in list(self.path.absolute().parents)[:INSIDE]:
            if (above / self.manifest_file.name).is_file():
                return f"Did you mean {str(above)!r}?"
        missing = "" if self.path.exists() else "There is no such folder. "
        if (recipe := self.path.as_posix().removeprefix("runs/")) in short_names():
            return f"{missing}{recipe} is a recipe that was not trained here: kt2t train {recipe}"
        for where, folder in ("Below it", self.path), ("Beside it", self.path.parent), ("There", Path("runs")):
            if found := runs_below(folder):
                names = ", ".join(repr(str(one)) for one in found[:LISTED])
                more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
                return f"{missing}{where} {'is the run' if len(found) == 1 else 'are the runs'} {names}{more}."
        return f"{missing}See `kt2t train --help`."

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder inside the `with` block, so that no other process trains here; does nothing if `writes` is False.

        Raises:
            RuntimeError: Another process, which the message names, uses the folder, or it holds other files than a
                run's.
        """
        self._check_own()
        if not self.writes:
            yield
            return
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with exclusive(self.path / "lock", self._refused):
                yield
        finally:
            with contextlib.suppress(OSError):
                self.path.rmdir()  # succeeds only if the folder is empty: no run has begun

    def _plugins(self, recipe: Recipe, kept: plugins.Plugins) -> plugins.Plugins:
        for module, note in kept.items():
            file = Path(note["file"])
            if not file.is_absolute() or file.resolve().is_relative_to(self.path.resolve()):
                raise RunError(
                    f"{str(self.manifest_file)!r} has the module {module!r} in {str(file)!r}. kt2t stores no code in a run "
                    "and names a recipe's modules by absolute paths, so it did not write this file. Remove the entry."
                )
        # The run may have been moved, and its code with it.
        folders = [plugins.folder_of(module, Path(note["file"])) for module, note in sorted(kept.items())]
        found: plugins.Plugins = {}
        for folder in dict.fromkeys([*folders, self.path.resolve().parent, Path()]):
            found.update(plugins.find(recipe.nodes, folder))
        for told in plugins.changed(kept, found):
            logger.warning("%s", told)
        return found

    def _refused(self, holder: str) -> RunError:
        return RunError(
            f"{str(self.path)!r} is in use by {holder}. Wait for it, stop it, or choose another folder with --run-dir."
        )

    def _check_own(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{str(self.path)!r} is a file. Choose another folder with --run-dir.")
        if self.path.is_dir() and not self.exists:
            if self.has_checkpoints:
                raise RunError(
                    f"{str(self.path)!r} holds checkpoints, but no run.json that names their recipe. "
                    "Choose another folder with --run-dir, or remove it."
                )
            foreign = sorted(entry.name for entry in self.path.iterdir() if name_aside(entry.name) not in ENTRIES)
            if foreign:
                raise RunError(
                    f"{str(self.path)!r} holds {foreign[0]!r} and no run of kt2t. Choose another folder with --run-dir."
                )

    def _check_same(self, recipe: Recipe, moved: bool) -> None:
        given = self.manifest().get("given", {})
        different = sorted(_lasting_differences(given, recipe.nodes))
        other = sorted(_lasting_differences(given, recipe.nodes, moved=True))
        if other or different and not moved:
            hint = "" if other else f"If the same data lies elsewhere now: kt2t train {self.path} KEY=VALUE. "
            raise RunError(
                f"{str(self.path)!r} holds a run of another recipe. Different: {'; '.join(different)}. "
                f"{hint}Choose another folder with --run-dir, or remove it."
            )
        for one in different:
            logger.warning("%s: taken to be the same data", one)


def _lasting(nodes: Mapping[str, Any]) -> dict[str, Any]:
    kept = {section: node for section, node in nodes.items() if section != "report"}
    kept["train"] = {key: value for key, value in (nodes.get("train") or {}).items() if key not in CHANGEABLE}
    return kept


def runs_below(folder: Path) -> list[Path]:
    """Returns the run folders in a folder and one level deeper, sorted: `runs/quickstart`, `runs/image/mnist`."""
    found = [file.parent for pattern in ("*/run.json", "*/*/run.json") for file in folder.glob(pattern)]
    return sorted(found)


def recipe_and_run(name: str, overrides: Sequence[str] = ()) -> tuple[Recipe, Path | None]:
    """Returns a recipe, not yet checked, and the run folder if `name` is a run in place of a recipe, else None.

    Args:
        name: A recipe's short name or file, or a run folder.
        overrides: `KEY=VALUE` words, applied to the recipe.

    Raises:
        Kt2tError: `name` is neither a recipe nor a run, or the recipe cannot be read.
    """
    run = RunFolder(name)
    return (run.user_recipe(overrides), run.path) if run.exists else (load(name, overrides), None)


def is_location(place: Place) -> bool:
    """Whether the option at `place` (its keys, outermost first) is a path of the problem's data, which may move."""
    return place[0] == "problem" and (place[-1] == "path" or str(place[-1]).endswith("_files"))


def _lasting_differences(before: Mapping[str, Any], after: Mapping[str, Any], moved: bool = False) -> Iterator[str]:
    """Yields a sentence for each difference between two recipes that makes them different runs.

    A value that equals `train.steps` in both recipes is no difference, nor is a data file where none was named before.

    Args:
        before: The sections of the run's recipe.
        after: The sections of the new recipe.
        moved: Whether to ignore all differences in the paths of the data.
    """
    steps = _steps(before), _steps(after)
    for place, *values in _differences(_lasting(before), _lasting(after)):
        located = is_location(place) and (moved or values[0] in (None, _UNSET))
        if not located and not _is_followed(values, steps):
            yield f"{'.'.join(map(str, place))}: {values[0]!r} there, {values[1]!r} here"


def following(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Place]:
    """Returns the places of options that equal `train.steps` in both recipes, though that number has changed.

    Such options, for example a schedule's length given as `=train.steps`, follow the steps when a run continues.
    """
    steps = _steps(before), _steps(after)
    found = _differences(_lasting(before), _lasting(after))
    return sorted((place for place, *values in found if _is_followed(values, steps)), key=str)


def _with_value(value: Any, wanted: Any, place: Place = ()) -> Iterator[Place]:
    """Yields the place (keys from the outside in) of each integer that equals `wanted` in nested dicts and lists."""
    if isinstance(value, Mapping | list):
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _with_value(item, wanted, (*place, key))
    elif type(value) is int and value == wanted:
        yield place


def _steps(nodes: Mapping[str, Any]) -> Any:
    """Returns `train.steps`; for a recipe with `train.epochs`, whose steps are not counted yet, the text `=train.steps`."""
    train = nodes.get("train") or {}
    return STEPS if train.get("steps") is None and train.get("epochs") is not None else train.get("steps")


def _is_followed(values: Sequence[Any], steps: Sequence[Any]) -> bool:
    whole = all(type(one) is int or one == STEPS for one in values)
    return whole and list(values) == list(steps)


def _differences(before: Any, after: Any, place: Place = ()) -> Iterator[tuple[Place, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {*before, *after}:
            yield from _differences(before.get(key, _UNSET), after.get(key, _UNSET), (*place, key))
    elif _are_lists_of_nodes(before, after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, (*place, index))
    elif before != after:
        yield place, before, after


def _are_lists_of_nodes(before: Any, after: Any) -> bool:
    lists = isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    return lists and all(isinstance(one, Mapping) for one in (*before, *after))
