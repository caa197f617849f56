"""Initialises a model with the weights of a checkpoint that have the same attribute path and shape."""

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
    """The result of `take_weights`: which of a model's weights were copied from a checkpoint, and which were not.

    Attributes:
        path, step: Folder and step of the checkpoint.
        taken: Shape of each weight that was copied, by attribute path.
        missing: Weights of the model that the checkpoint does not have.
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
        """Returns one line of text for the log: how many weights were copied or not, and a few names of the latter."""
        total = len(self.taken) + len(self.missing) + len(self.reshaped)
        first = f"{len(self.taken)} of {total} weights taken from {str(self.path)!r} (step {self.step})"
        kinds = {"not there": self.missing, "of another shape there": self.reshaped, "only there": self.unused}
        rest = {f"{len(names)} {what}": listed(names, ", ", _SHOWN) for what, names in kinds.items() if names}
        return "; ".join([first, *(f"{what}: {names}" for what, names in rest.items())])

    def lines(self) -> list[str]:
        """Returns one line of text per weight, each saying whether the weight was copied and if not, why."""
        return [
            *(f"taken: {name} {shape}" for name, shape in self.taken.items()),
            *(f"not there: {name}" for name in self.missing),
            *(f"of another shape: {name} {there} there, {here} here" for name, (there, here) in self.reshaped.items()),
            *(f"only there: {name}" for name in self.unused),
        ]


def take_weights(path: str | Path, model: Any) -> Taken:
    """Copies a checkpoint's weights that agree in attribute path and shape into a model. The optimizer is unchanged.

    Args:
        path: A checkpoint's folder.
        model: A built model.

    Returns:
        A `Taken`, which lists the copied and the other weights.

    Raises:
        RuntimeError: The checkpoint is damaged, or none of its weights fits. The message suggests the nearest names,
            and the model is unchanged.
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
