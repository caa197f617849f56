"""Checkpoints: a folder `step-N/` that is whole or not there, checked when it is read.

    model.safetensors      the weights, by attribute path
    optimizer.safetensors  the optimizer's variables, by `<slot>/<path of the weight>`
    manifest.json          format, step, recipe, versions, and size and sha256 of the others (see `manifest`)

Nothing else knows this format. It is the same on every backend.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.disk import clean, recover, remove_whole, whole_folder
from kt2t.errors import NumericsError, RunError
from kt2t.training.manifest import Manifest, verify, write_manifest

_MODEL, _OPTIMIZER = "model.safetensors", "optimizer.safetensors"
_SHOWN = 8
_logger = logging.getLogger("kt2t")

Arrays = Mapping[str, np.ndarray]


def save(folder: str | Path, model: Any, step: int, recipe: Any = None, extra: Mapping[str, Any] | None = None) -> Path:
    """Writes `step-N/` below `folder`; a kill at any moment leaves it whole or not there.

    Args:
        model: Built; its optimizer's variables go along if it has one that is built.
        step: Updates done.
        recipe: To be kept with it; anything JSON can hold.
        extra: Likewise.

    Returns:
        The new folder.

    Raises:
        ArithmeticError: A weight or an optimizer variable is not finite.
        OSError: The disk is full or not to be written; nothing half-written stays.
        RuntimeError: A weight of the model cannot be named.
    """
    if hasattr(model, "jax_state_sync") and getattr(model, "_jax_state", None) is not None:
        model.jax_state_sync()
    weights, variables = _variables(model)
    content = {_MODEL: _values(weights)}
    if variables is not None:
        content[_OPTIMIZER] = _values(variables)
    _refuse_non_finite(content)
    optimizer = None if variables is None else type(model.optimizer).__name__
    return _write(Path(folder) / f"step-{step}", content, step, optimizer, recipe, dict(extra or {}))


def restore(path: str | Path, model: Any) -> Manifest:
    """Puts a checkpoint into a model that is built, and into its optimizer if both have one.

    Raises:
        RuntimeError: The checkpoint is damaged, or it and the model do not have the same weights; they are listed, and
            nothing was changed.
    """
    manifest = verify(path)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and manifest.optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    weights, variables = _variables(model)
    pairs = _matched(manifest, _MODEL, weights)
    if variables is not None and manifest.optimizer is not None:
        name = type(optimizer).__name__
        if name != manifest.optimizer:
            raise RunError(f"{manifest.path}: was trained with the optimizer {manifest.optimizer}, this is {name}.")
        pairs += _matched(manifest, _OPTIMIZER, variables)
    for variable, value in pairs:
        variable.assign(value.astype(str(variable.dtype)) if value.dtype != variable.dtype else value)
    return manifest


def newest(folder: str | Path) -> Path | None:
    """The checkpoint of the highest step that is whole; a damaged one is passed over with a warning that says why."""
    recover(Path(folder))
    for path in reversed(saved(folder)):
        try:
            return verify(path).path
        except RunError as error:
            _logger.warning("%s Taking the one before.", error.message)
    return None


def prune(folder: str | Path, keep_last: int, keep: Iterable[int] = ()) -> None:
    """Removes all checkpoints but the last `keep_last` and those of the steps in `keep`, and what dead writers left."""
    kept = {f"step-{step}" for step in keep}
    for path in saved(folder)[: -max(keep_last, 1)]:
        if path.name not in kept:
            remove_whole(path)
    clean(Path(folder))


def saved(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, oldest step first, whether they are whole or not."""
    found = [path for path in Path(folder).glob("step-*") if path.is_dir() and path.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def average(paths: Sequence[str | Path], destination: str | Path) -> Path:
    """Writes a checkpoint of the mean of several checkpoints' weights, without an optimizer, at `destination`.

    Numbers that are not floating are those of the last.

    Raises:
        RuntimeError: A checkpoint is damaged, or they do not have the same weights.
    """
    manifests = [verify(path) for path in paths]
    if not manifests:
        raise RunError(f"{destination}: there are no checkpoints to average.")
    last = manifests[-1]
    for other in manifests[:-1]:
        if other.arrays[_MODEL] != last.arrays[_MODEL]:
            raise RunError(f"{other.path} and {last.path} do not have the same weights, so they have no mean.")
    sums: dict[str, np.ndarray] = {}
    kinds: dict[str, np.dtype] = {}
    for manifest in manifests:
        for name, value in _read(manifest.path / _MODEL).items():
            kinds[name] = value.dtype
            sums[name] = sums.get(name, 0) + value.astype(np.float64) if _is_float(value.dtype) else value
    means = {n: (v / len(manifests)).astype(kinds[n]) if _is_float(kinds[n]) else v for n, v in sums.items()}
    extra = {"averaged": [one.step for one in manifests]}
    return _write(Path(destination), {_MODEL: means}, last.step, None, last.recipe, extra)


def _variables(model: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    from kt2t.ops.paths import attribute_paths
    from kt2t.training.slots import slots

    weights = attribute_paths(model)
    known = {id(variable) for variable in weights.values()}
    lost = [variable.path for variable in model.weights if id(variable) not in known]
    if lost:
        raise RunError(f"No attribute of the model leads to {_listed(lost)}, so a checkpoint cannot name it.")
    optimizer = getattr(model, "optimizer", None)
    return weights, slots(optimizer, weights) if optimizer is not None and optimizer.built else None


def _values(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    import keras

    return {name: np.asarray(keras.ops.convert_to_numpy(one), order="C") for name, one in variables.items()}


def _refuse_non_finite(content: Mapping[str, Arrays]) -> None:
    bad = [name for arrays in content.values() for name, value in arrays.items() if not _is_finite(value)]
    if bad:
        raise NumericsError(f"{_listed(bad)} is not finite, so no checkpoint is written. Continue from an earlier one.")


def _is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float8"))


def _is_finite(value: np.ndarray) -> bool:
    if not _is_float(value.dtype):
        return True
    if value.dtype != np.float32:
        value = value.astype(np.float32)
    # A sum is finite only if every term is; it is many times faster than looking at each. Overflow is looked at again.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(value.sum())) or bool(np.isfinite(value).all())


def _write(
    path: Path, content: Mapping[str, Arrays], step: int, optimizer: str | None, recipe: Any, extra: dict[str, Any]
) -> Path:
    from safetensors.numpy import save_file

    def fill(folder: Path) -> None:
        for name, arrays in content.items():
            save_file(dict(arrays), folder / name)
        write_manifest(folder, content, step, optimizer, recipe, extra)

    return whole_folder(path, fill)


def _read(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return dict(load_file(path))


def _matched(manifest: Manifest, file: str, variables: Mapping[str, Any]) -> list[tuple[Any, np.ndarray]]:
    """Pairs of variable and value, if names and shapes are the same on both sides."""
    saved = manifest.arrays[file]
    wrong = [f"{name} is missing" for name in variables if name not in saved]
    wrong += [f"{name} is not in the model" for name in saved if name not in variables]
    for name, variable in variables.items():
        if name in saved and list(variable.shape) != saved[name]["shape"]:
            wrong.append(f"{name} has shape {saved[name]['shape']}, the model's has {list(variable.shape)}")
    if wrong:
        raise RunError(f"{manifest.path / file} does not fit this model: {_listed(wrong)}.")
    values = _read(manifest.path / file)
    return [(variable, values[name]) for name, variable in variables.items()]


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more
