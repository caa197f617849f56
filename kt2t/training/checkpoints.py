"""Checkpoints: a folder `step-N/` that is whole or not there, checked when it is read.

    model.safetensors      the weights, by attribute path
    optimizer.safetensors  the optimizer's variables, by `<slot>/<path of the weight>`
    manifest.json          format, step, recipe, versions, and size and sha256 of the others (see `manifest`)

Nothing else knows this format. It is the same on every backend.
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
    _take_from_jax(model)
    weights, variables = _variables(model)
    content = {_MODEL: _values(weights)}
    if variables is not None:
        content[_OPTIMIZER] = _values(variables)
    _refuse_non_finite(content, Path(folder))
    optimizer = None if variables is None else type(model.optimizer).__name__
    return _write(Path(folder) / f"step-{step}", content, step, optimizer, recipe, dict(extra or {}))


def restore(path: str | Path, model: Any) -> Manifest:
    """Puts a checkpoint into a model that is built, and into its optimizer if both have one.

    Raises:
        RuntimeError: The checkpoint is damaged, or it and the model do not have the same weights; they are listed, and
            nothing was changed.
    """
    manifest = _known(verify(path))
    _take_from_jax(model)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and manifest.optimizer is not None and not optimizer.built:
        with getattr(model, "_scope", contextlib.nullcontext)():  # of a trainer: its slots are where its weights are
            optimizer.build(model.trainable_variables)
    weights, variables = _variables(model)
    wanted, wrong = {_MODEL: weights}, _differences(manifest.arrays[_MODEL], weights)
    if variables is not None and manifest.optimizer is not None:
        name = type(optimizer).__name__
        if name != manifest.optimizer:
            wrong.append(f"it was trained with the optimizer {manifest.optimizer}, this is {name}")
        else:
            wanted[_OPTIMIZER] = variables
            wrong = wrong or _differences(manifest.arrays[_OPTIMIZER], variables)  # slots differ where weights do
    if wrong:
        raise RunError(
            f"{str(manifest.path)!r} does not fit this model: {listed(wrong)}. To begin a new run with what fits, give its "
            "recipe train.start_from."
        )
    read = {file: _read(manifest, file) for file in wanted}
    for file, named in wanted.items():
        for name, variable in named.items():
            assign(variable, read[file][name])
    return manifest


def assign(variable: Any, value: np.ndarray) -> None:
    """Puts a value of the same shape into a variable, in the variable's dtype."""
    variable.assign(value.astype(str(variable.dtype)) if value.dtype != variable.dtype else value)


def weights_of(path: str | Path) -> tuple[Manifest, dict[str, np.ndarray]]:
    """What a checkpoint says of itself, and its weights by attribute path.

    Raises:
        RuntimeError: It is damaged.
    """
    manifest = _known(verify(path))
    return manifest, _read(manifest, _MODEL)


def newest(folder: str | Path) -> Path | None:
    """The checkpoint of the highest step that is whole; a damaged one is passed over with a warning that says why."""
    return next((manifest.path for manifest in intact(folder)), None)


def way_back(folder: str | Path) -> str:
    """A sentence that names the newest whole checkpoint, for who must go back to it."""
    found = newest(folder)
    return "There is no checkpoint yet." if found is None else f"The last good checkpoint is '{found}'."


def intact(folder: str | Path) -> Iterator[Manifest]:
    """The checkpoints that are whole, newest first; a damaged one is passed over with a warning that says why."""
    recover(Path(folder))
    for path in reversed(saved(folder)):
        try:
            yield _known(verify(path))
        except RunError as error:
            _logger.warning("%s Taking the one before.", error.message)


def prune(folder: str | Path, keep_last: int, keep: Iterable[int] = (), newest: int | None = None) -> None:
    """Removes all checkpoints but the last `keep_last` and those of the steps in `keep`, and what dead writers left.

    Args:
        newest: Later steps are neither counted nor removed: they were damaged, and training went on from before them.
    """
    kept = {f"step-{step}" for step in keep}
    counted = [path for path in saved(folder) if newest is None or int(path.name[5:]) <= newest]
    for path in counted[: -max(keep_last, 1)]:
        if path.name not in kept:
            remove_whole(path)
    clean(Path(folder))


def saved(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, oldest step first, whether they are whole or not."""
    found = [path for path in Path(folder).glob("step-*") if path.is_dir() and path.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def average(manifests: Sequence[Manifest], destination: str | Path, extra: Mapping[str, Any] | None = None) -> Path:
    """Writes a checkpoint of the mean of several checkpoints' weights, without an optimizer, at `destination`.

    Numbers that are not floating are those of the last. It keeps, as `averaged`, the step of each and the sha256 of its
    weights: see `is_mean_of`.

    Args:
        manifests: Of checkpoints that are whole.
        extra: To be kept with it.

    Raises:
        RuntimeError: There is none, or they do not have the same weights.
    """
    if not manifests:
        raise RunError(f"{destination}: there are no checkpoints to average.")
    last = manifests[-1]
    for other in manifests[:-1]:
        if other.arrays[_MODEL] != last.arrays[_MODEL]:
            raise RunError(f"{other.path} and {last.path} do not have the same weights, so they have no mean.")
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
    """Whether a checkpoint that `average` wrote is of just these checkpoints, as they are now."""
    try:
        return bool(manifest.extra.get("averaged") == _marks([read_manifest(path) for path in paths]))
    except RunError:
        return False


def _marks(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    return [{"step": one.step, "sha256": one.files[_MODEL]["sha256"]} for one in manifests]


def _take_from_jax(model: Any) -> None:
    """Within a `fit` on JAX the step holds the values; after this the variables do, and what is put into them counts."""
    if hasattr(model, "jax_state_sync") and getattr(model, "_jax_state", None) is not None:
        model.jax_state_sync()


def _variables(model: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    from kt2t.ops.paths import attribute_paths
    from kt2t.training.slots import slots

    weights = attribute_paths(model)
    known = {id(variable) for variable in weights.values()}
    lost = [variable.path for variable in model.weights if id(variable) not in known]
    if lost:
        raise RunError(f"No attribute of the model leads to {listed(lost)}, so a checkpoint cannot name it.")
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
    """The same, if its files are those of this format."""
    files = {_MODEL} if manifest.optimizer is None else {_MODEL, _OPTIMIZER}
    if {*manifest.files} != files:
        raise RunError(f"{manifest.path}: manifest.json cannot be: it speaks of {', '.join(sorted(manifest.files))}.")
    if manifest.optimizer is None and (manifest.path / _OPTIMIZER).exists():
        raise RunError(f"{manifest.path}: {_OPTIMIZER} is there, though manifest.json knows of no optimizer.")
    return manifest


def _read(manifest: Manifest, name: str) -> dict[str, np.ndarray]:
    """The arrays of a file, which are what the manifest says of them."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = dict(load_file(manifest.path / name))
    except (SafetensorError, ValueError, KeyError) as error:
        raise RunError(f"{manifest.path}: {name} cannot be read: {error}.") from None
    kinds = {key: {"shape": list(one.shape), "dtype": one.dtype.name} for key, one in found.items()}
    if kinds != manifest.arrays[name]:
        said = manifest.arrays[name]
        wrong = sorted(key for key in {*kinds, *said} if kinds.get(key) != said.get(key))
        raise RunError(f"{manifest.path}: {name} holds other arrays than manifest.json says: {listed(wrong)}.")
    return found


def _differences(saved: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """What of names and shapes is not the same on both sides."""
    wrong = [f"{name} is missing" for name in variables if name not in saved]
    wrong += [f"{name} is not in the model" for name in saved if name not in variables]
    for name, variable in variables.items():
        if name in saved and list(variable.shape) != saved[name]["shape"]:
            wrong.append(f"{name} has shape {saved[name]['shape']}, the model's has {list(variable.shape)}")
    return wrong
