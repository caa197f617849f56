"""Writes and reads a checkpoint's `manifest.json`: size and sha256 of every file, and a hash of the manifest itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.disk import is_plain_name, sha256
from kt2t.errors import RunError
from kt2t.versions import versions

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The content of a checkpoint's `manifest.json`, which describes the checkpoint and its files.

    Attributes:
        path: The checkpoint's folder.
        step: Number of updates done.
        recipe, extra: The values that `checkpoints.save` was given.
        optimizer: Name of the optimizer's class; None if the checkpoint has only weights.
        arrays: Shape and dtype of each array, by file and name.
        files: Size in bytes and sha256 of each file.
        versions: Versions of kt2t and other packages that wrote the checkpoint, and the Keras backend.
    """

    path: Path
    step: int
    recipe: Any = None
    extra: dict[str, Any] = field(default_factory=dict)
    optimizer: str | None = None
    arrays: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def write_manifest(
    folder: Path,
    content: Mapping[str, Mapping[str, np.ndarray]],
    step: int,
    optimizer: str | None = None,
    recipe: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Writes `manifest.json` for a checkpoint whose other files are in `folder` already, with their sizes and sha256.

    Args:
        folder: The checkpoint's folder.
        content: The arrays of each file, by file and name.
        step, optimizer, recipe, extra: See `Manifest`.
    """
    import keras

    manifest = {
        "format": FORMAT,
        "step": int(step),
        "optimizer": optimizer,
        "recipe": recipe,
        "extra": dict(extra or {}),
        "versions": {**versions(), "backend": keras.backend.backend()},
        "files": {name: _of_file(folder / name) for name in content},
        "arrays": {name: {n: _of_array(v) for n, v in arrays.items()} for name, arrays in content.items()},
    }
    manifest = json.loads(json.dumps(manifest))  # the seal covers what a reader gets from JSON, for example text keys
    text = json.dumps({**manifest, "seal": _seal(manifest)}, indent=1, ensure_ascii=False)
    (folder / NAME).write_text(text, encoding="utf-8")


def verify(path: str | Path) -> Manifest:
    """Reads a checkpoint's manifest, checks the size and sha256 of every file against it, and returns the manifest.

    Raises:
        RuntimeError: A file is missing, cut or changed, or the manifest has another step or format. The message names
            the file.
    """
    manifest = read_manifest(path)
    for name, recorded in manifest.files.items():
        _check_file(manifest.path / name, recorded)
    return manifest


def read_manifest(path: str | Path) -> Manifest:
    """Reads a checkpoint's manifest and checks its own hash. Does not check the other files.

    Raises:
        RuntimeError: The manifest is missing or changed, has another format, or has another step than the folder's
            name.
    """
    path = Path(path)
    if not (path / NAME).is_file():  # reading a pipe would block
        raise RunError(f"{path}: {NAME} cannot be read: it is missing.")
    try:
        written = json.loads((path / NAME).read_bytes())
        seal = written.pop("seal")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise RunError(f"{path}: {NAME} cannot be read: {error}.") from None
    if written.get("format") != FORMAT:
        by = written.get("versions", {})
        by = f", written by kt2t {by['kt2t']}" if isinstance(by, Mapping) and "kt2t" in by else ""
        raise RunError(
            f"{path}: {NAME} is of format {written.get('format')!r}{by}; this kt2t reads format {FORMAT}. "
            "Use the kt2t that wrote it."
        )
    if seal != _seal(written):
        raise RunError(f"{path}: {NAME} was changed after it was written.")
    written.pop("format")
    if wrong := _impossible(written):
        raise RunError(f"{path}: {NAME} is not valid: {wrong}.")
    if path.name.startswith("step-") and path.name[5:].isdigit() and int(path.name[5:]) != written["step"]:
        raise RunError(f"{path}: {NAME} belongs to step {written['step']}, but the folder's name is {path.name!r}.")
    return Manifest(path=path, **written)


def _impossible(written: Mapping[str, Any]) -> str:
    """Describes the first entry of a manifest that `write_manifest` cannot have written; '' if all entries are valid."""
    if {*written} != {one.name for one in fields(Manifest)} - {"path"}:
        return f"it has the entries {', '.join(sorted(written))}"
    if type(written["step"]) is not int or written["step"] < 0:
        return f"the step is {written['step']!r}"
    files, arrays = written["files"], written["arrays"]
    kinds = (files, arrays, written["extra"], written["versions"], *_values(files), *_values(arrays))
    if not all(isinstance(one, dict) for one in kinds) or {*files} != {*arrays}:
        return "the files and the arrays in them do not agree"
    for name, note in files.items():
        if not is_plain_name(name) or name == NAME or {*note} != {"size", "sha256"}:
            return f"it lists a file {name[:80]!r}"
        if not all(isinstance(one, dict) and {*one} == {"shape", "dtype"} for one in arrays[name].values()):
            return f"the arrays of {name} have no shape and dtype"
    return ""


def _values(mapping: Any) -> list[Any]:
    return list(mapping.values()) if isinstance(mapping, dict) else []


def _check_file(path: Path, recorded: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise RunError(f"{path.parent}: {path.name} is missing.")
    size = path.stat().st_size
    if size != recorded["size"]:
        raise RunError(f"{path.parent}: {path.name} has {size} bytes instead of {recorded['size']}.")
    if sha256(path) != recorded["sha256"]:
        raise RunError(f"{path.parent}: {path.name} was changed after it was written (its sha256 differs).")


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _of_file(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256(path)}


def _of_array(value: np.ndarray) -> dict[str, Any]:
    return {"shape": list(value.shape), "dtype": value.dtype.name}
