"""What a checkpoint says of itself: `manifest.json`, sealed, with size and sha256 of every file beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.disk import sha256
from kt2t.errors import RunError
from kt2t.versions import versions

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says of itself.

    Attributes:
        step: Updates done.
        recipe, extra: What `save` was given.
        optimizer: Name of the optimizer's class, None where there are only weights.
        arrays: Shape and dtype of each array, by file and name.
        files: Size in bytes and sha256 of each file.
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
    """Writes the manifest of the files that stand in `folder`.

    Args:
        content: The arrays of each file, by file and name.
        step, optimizer, recipe, extra: As `Manifest` tells them.
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
    manifest = json.loads(json.dumps(manifest))  # the seal is of what a reader will see
    text = json.dumps({**manifest, "seal": _seal(manifest)}, indent=1, ensure_ascii=False)
    (folder / NAME).write_text(text, encoding="utf-8")


def verify(path: str | Path) -> Manifest:
    """Reads a checkpoint's manifest and checks every file against it.

    Raises:
        RuntimeError: Something is missing, cut, changed or of a later format; the message says what.
    """
    path = Path(path)
    try:
        written = json.loads((path / NAME).read_bytes())
        seal = written.pop("seal")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise RunError(f"{path}: {NAME} cannot be read: {error}.") from None
    if written.get("format") != FORMAT:
        raise RunError(f"{path}: is of format {written.get('format')!r}; this kt2t reads format {FORMAT}.")
    if seal != _seal(written):
        raise RunError(f"{path}: {NAME} was changed after it was written.")
    for name, said in written["files"].items():
        _check_file(path / name, said)
    written.pop("format")
    return Manifest(path=path, **written)


def _check_file(path: Path, said: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise RunError(f"{path.parent}: {path.name} is missing.")
    size = path.stat().st_size
    if size != said["size"]:
        raise RunError(f"{path.parent}: {path.name} has {size} bytes instead of {said['size']}.")
    if sha256(path) != said["sha256"]:
        raise RunError(f"{path.parent}: {path.name} was changed after it was written (its sha256 differs).")


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _of_file(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256(path)}


def _of_array(value: np.ndarray) -> dict[str, Any]:
    return {"shape": list(value.shape), "dtype": value.dtype.name}
