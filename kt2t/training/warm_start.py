"""Initialises a model with those weights of another model that have the same attribute path and shape."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kt2t.errors import RunError, listed
from kt2t.ops.paths import attribute_paths
from kt2t.training import checkpoints

_SHOWN = 4


@dataclass(frozen=True)
class Taken:
    """Holds the result of `take_weights`: which of a model's weights were copied from a checkpoint.

    Attributes:
        path, step: Folder and step of the checkpoint.
        taken: Shape of each weight that was copied, by attribute path.
        missing: Weights that the checkpoint does not have.
        reshaped: Weights whose shapes differ, with the checkpoint's shape and the model's.
        unused: Weights that only the checkpoint has.
    """

    path: Path
    step: int
    taken: dict[str, list[int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    reshaped: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Describes the result in one line, with a few names of each kind."""
        total = len(self.taken) + len(self.missing) + len(self.reshaped)
        first = f"{len(self.taken)} of {total} weights taken from {str(self.path)!r} (step {self.step})"
        kinds = {"not there": self.missing, "of another shape there": self.reshaped, "only there": self.unused}
        rest = {f"{len(names)} {what}": listed(names, ", ", _SHOWN) for what, names in kinds.items() if names}
        return "; ".join([first, *(f"{what}: {names}" for what, names in rest.items())])

    def lines(self) -> list[str]:
        """Describes the result with one line for each weight."""
        return [
            *(f"taken: {name} {shape}" for name, shape in self.taken.items()),
            *(f"not there: {name}" for name in self.missing),
            *(f"of another shape: {name} {there} there, {here} here" for name, (there, here) in self.reshaped.items()),
            *(f"only there: {name}" for name in self.unused),
        ]


def take_weights(path: str | Path, model: Any) -> Taken:
    """Copies a checkpoint's weights into a model, if name and shape agree. The optimizer is not changed.

    Args:
        path: A checkpoint's folder.
        model: A built model.

    Raises:
        RuntimeError: The checkpoint is damaged, or none of its weights fits. The message suggests the nearest names, and
            the model is unchanged.
    """
    manifest, there = checkpoints.weights_of(path)
    here = attribute_paths(model)
    found = Taken(manifest.path, manifest.step, unused=[name for name in there if name not in here])
    for name, variable in here.items():
        shape = list(variable.shape)
        if name not in there:
            found.missing.append(name)
        elif list(there[name].shape) != shape:
            found.reshaped[name] = list(there[name].shape), shape
        else:
            found.taken[name] = shape
    if not found.taken:
        raise RunError(f"no weight of {str(path)!r} fits this model: {_nearest(found)}.")
    for name in found.taken:
        checkpoints.assign(here[name], there[name])
    return found


def _nearest(found: Taken) -> str:
    reasons = [f"{name} has shape {there} there, {here} here" for name, (there, here) in found.reshaped.items()]
    for name in found.missing:
        close = difflib.get_close_matches(name, found.unused, n=1, cutoff=0.0)
        reasons.append(f"{name} is not there (nearest: {close[0]})" if close else f"{name} is not there")
    return listed(reasons, most=_SHOWN)
