"""Saves, verifies and restores checkpoints. A checkpoint is a folder `step-N/`, either complete or absent.

    model.safetensors      the weights, by attribute path
    optimizer.safetensors  the optimizer's variables, by `<slot>/<path of the weight>`
    manifest.json          format, step, recipe, versions, and size and sha256 of the others (see `manifest`)

No other code knows this format. It is the same on every backend.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.disk import clean, recover, remove_whole, whole_folder
from kt2t.errors import NumericsError, RunError, listed
from kt2t.training.finite import is_finite, is_float
from kt2t.training.manifest import Manifest, read_manifest, verify, write_manifest

_MODEL, _OPTIMIZER = "model.safetensors", "optimizer.safetensors"
_logger = logging.getLogger("kt2t")

Arrays = Mapping[str, np.ndarray]


def save(folder: str | Path, model: Any, step: int, recipe: Any = None, extra: Mapping[str, Any] | None = None) -> Path:
    """Writes a checkpoint `step-N/` in `folder`. If the process is killed, the checkpoint is either complete or absent.

    Args:
        folder: The run's folder of checkpoints.
        model: A built model. If its optimizer is built, the optimizer's variables are saved too.
        step: Number of updates done.
        recipe: Any JSON value, stored in the manifest.
        extra: Any JSON values by name, stored in the manifest.

    Returns:
        The new folder.

    Raises:
        ArithmeticError: A weight or an optimizer variable is not finite.
        OSError: The disk is full or cannot be written. No incomplete checkpoint remains.
        RuntimeError: A weight is in no attribute of the model, so it has no name.
    """
    _take_from_jax(model)
    weights, variables = _variables(model)
    content = {_MODEL: _values(weights)}
    if variables is not None:
        content[_OPTIMIZER] = _values(variables)
    _refuse_non_finite(content, Path(folder))
    optimizer = None if variables is None else type(model.optimizer).__name__
    return _write(Path(folder) / f"step-{step}", content, step, optimizer, recipe, dict(extra or {}))


def restore(path: str | Path, model: Any) -> Manifest:
    """Loads a checkpoint into a built model, and into its optimizer if both the checkpoint and the model have one.

    Args:
        path: The checkpoint's folder.
        model: A built model. Its optimizer is built here, if the checkpoint has one.

    Returns:
        The checkpoint's manifest.

    Raises:
        RuntimeError: The checkpoint is damaged, or its weights differ from the model's. The message lists the
            differences, and the model is unchanged.
    """
    manifest = _known(verify(path))
    _take_from_jax(model)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and manifest.optimizer is not None and not optimizer.built:
        with getattr(model, "_scope", contextlib.nullcontext)():  # the trainer's scope puts slots where the weights are
            optimizer.build(model.trainable_variables)
    weights, variables = _variables(model)
    wanted, wrong = {_MODEL: weights}, _differences(manifest.arrays[_MODEL], weights)
    if variables is not None and manifest.optimizer is not None:
        name = type(optimizer).__name__
        if name != manifest.optimizer:
            wrong.append(f"it was trained with the optimizer {manifest.optimizer}, this is {name}")
        else:
            wanted[_OPTIMIZER] = variables
            wrong = wrong or _differences(manifest.arrays[_OPTIMIZER], variables)  # if weights differ, so do their slots
    if wrong:
        raise RunError(
            f"{str(manifest.path)!r} does not fit this model: {listed(wrong)}. To start a new run with the weights that do "
            "fit, set train.start_from in its recipe."
        )
    read = {file: _read(manifest, file) for file in wanted}
    for file, named in wanted.items():
        for name, variable in named.items():
            assign(variable, read[file][name])
    return manifest


def has_averages(path: str | Path) -> bool:
    """Whether a checkpoint's optimizer variables include moving averages of the weights (`use_ema`)."""
    slots = read_manifest(path).arrays.get(_OPTIMIZER, {})
    return any(part.startswith("model_variables_moving_average") for name in slots for part in name.split("."))


def assign(variable: Any, value: np.ndarray) -> None:
    """Assigns an array to a variable of the same shape, after converting it to the variable's dtype."""
    variable.assign(value.astype(str(variable.dtype)) if value.dtype != variable.dtype else value)


def weights_of(path: str | Path) -> tuple[Manifest, dict[str, np.ndarray]]:
    """Reads a checkpoint's manifest and its weights, as arrays by attribute path, and checks its files.

    Raises:
        RuntimeError: The checkpoint is damaged.
    """
    manifest = _known(verify(path))
    return manifest, _read(manifest, _MODEL)


def newest(folder: str | Path) -> Path | None:
    """Returns the folder of the newest intact checkpoint in `folder`, or None. Damaged ones are skipped with a warning."""
    return next((manifest.path for manifest in intact(folder)), None)


def way_back(folder: str | Path) -> str:
    """Returns a sentence for error messages that names the newest intact checkpoint in a folder, or says that there is none."""
    found = newest(folder)
    return "There is no checkpoint yet." if found is None else f"The last good checkpoint is '{found}'."


def intact(folder: str | Path) -> Iterator[Manifest]:
    """Yields the manifests of intact checkpoints in a folder, newest first. Damaged ones are skipped with a warning."""
    recover(Path(folder))
    for path in reversed(saved(folder)):
        try:
            yield _known(verify(path))
        except RunError as error:
            _logger.warning("%s Taking the one before.", error.message)


def prune(folder: str | Path, keep_last: int, keep: Iterable[int] = (), newest: int | None = None) -> None:
    """Removes old checkpoints, except the newest `keep_last` and the steps in `keep`, and files that killed processes left.

    Args:
        folder: The run's folder of checkpoints.
        keep_last: Number of newest checkpoints to keep.
        keep: Steps whose checkpoints are kept besides.
        newest: The present step. Checkpoints of later steps are neither counted nor removed: they are damaged, and
            training restarted from an earlier one.
    """
    kept = {f"step-{step}" for step in keep}
    counted = [path for path in saved(folder) if newest is None or int(path.name[5:]) <= newest]
    for path in counted[: -max(keep_last, 1)]:
        if path.name not in kept:
            remove_whole(path)
    clean(Path(folder))


def saved(folder: str | Path) -> list[Path]:
    """Returns the folders of the checkpoints in `folder`, in order of steps, including damaged ones."""
    found = [path for path in Path(folder).glob("step-*") if path.is_dir() and path.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def average(manifests: Sequence[Manifest], destination: str | Path, extra: Mapping[str, Any] | None = None) -> Path:
    """Averages the weights of several checkpoints and writes the mean as a checkpoint without an optimizer.

    Integers come from the last checkpoint. The manifest's `averaged` lists each step and the sha256 of its weights,
    with which `is_mean_of` recognises the average.

    Args:
        manifests: The manifests of intact checkpoints.
        destination: Folder of the new checkpoint.
        extra: Stored in the manifest.

    Returns:
        The new folder.

    Raises:
        RuntimeError: There are no checkpoints, or their weights differ in name, shape or dtype.
    """
    if not manifests:
        raise RunError(f"{destination}: there are no checkpoints to average.")
    last = manifests[-1]
    for other in manifests[:-1]:
        if other.arrays[_MODEL] != last.arrays[_MODEL]:
            raise RunError(
                f"{other.path} and {last.path} cannot be averaged: their weights differ in name, shape or dtype."
            )
    sums: dict[str, np.ndarray] = {}
    kinds: dict[str, np.dtype] = {}
    for manifest in manifests:
        for name, value in _read(manifest, _MODEL).items():
            kinds[name] = value.dtype
            sums[name] = sums.get(name, 0) + value.astype(np.float64) if is_float(value.dtype) else value
    means = {n: (v / len(manifests)).astype(kinds[n]) if is_float(kinds[n]) else v for n, v in sums.items()}
    kept = {**(extra or {}), "averaged": _marks(manifests)}
    return _write(Path(destination), {_MODEL: means}, last.step, None, last.recipe, kept)


def is_mean_of(manifest: Manifest, paths: Sequence[Path]) -> bool:
    """Whether a checkpoint that `average` wrote is the mean of exactly the checkpoints at `paths`, as they are now.

    Args:
        manifest: The average's manifest.
        paths: Folders of checkpoints, in the order that `average` got them.
    """
    try:
        return bool(manifest.extra.get("averaged") == _marks([read_manifest(path) for path in paths]))
    except RunError:
        return False


def _marks(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    return [{"step": one.step, "sha256": one.files[_MODEL]["sha256"]} for one in manifests]


def _take_from_jax(model: Any) -> None:
    """Copies the values of a running JAX `fit` into the model's variables, so that they can be read and assigned."""
    if hasattr(model, "jax_state_sync") and getattr(model, "_jax_state", None) is not None:
        model.jax_state_sync()


def _variables(model: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    from kt2t.ops.paths import attribute_paths
    from kt2t.training.slots import slots

    weights = attribute_paths(model)
    known = {id(variable) for variable in weights.values()}
    lost = [variable.path for variable in model.weights if id(variable) not in known]
    if lost:
        raise RunError(f"{listed(lost)} is in no attribute of the model, so a checkpoint cannot name it.")
    optimizer = getattr(model, "optimizer", None)
    return weights, slots(optimizer, weights) if optimizer is not None and optimizer.built else None


def _values(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    import keras

    return {name: np.asarray(keras.ops.convert_to_numpy(one), order="C") for name, one in variables.items()}


def _refuse_non_finite(content: Mapping[str, Arrays], folder: Path) -> None:
    bad = [name for arrays in content.values() for name, value in arrays.items() if not is_finite(value)]
    if bad:
        raise NumericsError(f"{listed(bad)} is not finite, so no checkpoint is written. {way_back(folder)}")


def _write(
    path: Path, content: Mapping[str, Arrays], step: int, optimizer: str | None, recipe: Any, extra: dict[str, Any]
) -> Path:
    from safetensors.numpy import save_file

    def fill(folder: Path) -> None:
        for name, arrays in content.items():
            save_file(dict(arrays), folder / name)
        write_manifest(folder, content, step, optimizer, recipe, extra)

    return whole_folder(path, fill)


def _known(manifest: Manifest) -> Manifest:
    """Returns the manifest if it lists the files of this format; raises RunError otherwise."""
    files = {_MODEL} if manifest.optimizer is None else {_MODEL, _OPTIMIZER}
    if {*manifest.files} != files:
        raise RunError(f"{manifest.path}: manifest.json is not valid: it lists {', '.join(sorted(manifest.files))}.")
    if manifest.optimizer is None and (manifest.path / _OPTIMIZER).exists():
        raise RunError(f"{manifest.path}: {_OPTIMIZER} exists, but manifest.json lists no optimizer.")
    return manifest


def _read(manifest: Manifest, name: str) -> dict[str, np.ndarray]:
    """Reads the arrays of a file and checks them against the names, shapes and dtypes in the manifest."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = dict(load_file(manifest.path / name))
    except (SafetensorError, ValueError, KeyError) as error:
        raise RunError(f"{manifest.path}: {name} cannot be read: {error}.") from None
    kinds = {key: {"shape": list(one.shape), "dtype": one.dtype.name} for key, one in found.items()}
    if kinds != manifest.arrays[name]:
        recorded = manifest.arrays[name]
        wrong = sorted(key for key in {*kinds, *recorded} if kinds.get(key) != recorded.get(key))
        raise RunError(f"{manifest.path}: {name} holds other arrays than manifest.json lists: {listed(wrong)}.")
    return found


def _differences(saved: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Lists the differences in names and shapes."""
    wrong = [f"{name} is missing" for name in variables if name not in saved]
    wrong += [f"{name} is not in the model" for name in saved if name not in variables]
    for name, variable in variables.items():
        if name in saved and list(variable.shape) != saved[name]["shape"]:
            wrong.append(f"{name} has shape {saved[name]['shape']}, the model's has {list(variable.shape)}")
    return wrong
