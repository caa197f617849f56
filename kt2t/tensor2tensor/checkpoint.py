"""Reads a TensorFlow 1 checkpoint: weights and Adam's state, by our attribute paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kt2t.errors import RunError, listed
from kt2t.tensor2tensor.variables import gathered, path_of

# Variables of the trainer that are not part of the model.
_BOOKKEEPING = re.compile(
    r"global_step$|(?:.*/)?(?:beta[12]_power|loss_scale|good_steps|bad_steps)(?:_\d+)?$|losses_avg/|train_stats/|problem_\d+_steps$"
)
_ADAM = re.compile(r"(?:training/)?(.+)/(Adam|Adam_1)$")
_OTHER_STATE = re.compile(r"training/|.*/(?:Adafactor|AdafactorOptimizer|Momentum|ExponentialMovingAverage)(?:_\d+)?$")
_DATA = re.compile(r"\.(?:index|meta|data-\d+-of-\d+)$")


@dataclass(frozen=True)
class Checkpoint:
    """Holds the arrays of a Tensor2Tensor checkpoint, by our attribute paths.

    Attributes:
        path: Prefix of the checkpoint's files.
        step: Number of updates done.
        weights: The model's weights.
        momentums, velocities: Adam's means of the gradients and of their squares; empty if the checkpoint has none.
    """

    path: Path
    step: int
    weights: dict[str, np.ndarray]
    momentums: dict[str, np.ndarray]
    velocities: dict[str, np.ndarray]

    @property
    def target_space(self) -> int | None:
        """Returns the index of the only trained row of the target space table; None if the checkpoint does not show it."""
        moved = self.velocities.get("target_space_embedding.table", np.zeros((1, 1)))
        rows = np.flatnonzero(moved.any(axis=1))
        return int(rows[0]) if len(rows) == 1 else None


def read(place: str | Path, source_size: int | None = None) -> Checkpoint:
    """Reads a Tensor2Tensor checkpoint.

    Args:
        place: A checkpoint such as `model.ckpt-1000`, or a folder, whose newest checkpoint is read.
        source_size: See `path_of`.

    Raises:
        RunError: There is no checkpoint, it is damaged, or it has variables that our Transformer does not have.
    """
    import tensorflow as tf

    path = find(place)
    try:
        reader = tf.train.load_checkpoint(str(path))
        names = sorted(reader.get_variable_to_shape_map())
        kinds: dict[str, dict[str, np.ndarray]] = {"weights": {}, "momentums": {}, "velocities": {}}
        strange = []
        for name in names:
            kind, variable = _kind(name)
            if kind is not None and _is_known(variable):
                kinds[kind][variable] = reader.get_tensor(name)
            elif kind is not None:
                strange.append(name)
        step = int(reader.get_tensor("global_step")) if "global_step" in names else _number(path)
    except (tf.errors.OpError, LookupError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{str(path)!r} is damaged: {reason}. Copy it again.") from error
    if strange:
        raise RunError(
            f"{str(path)!r} holds variables that our Transformer does not have: {listed(strange, ', ')}. "
            "It is of another model, or uses an option that kt2t does not have."
        )
    found = {kind: gathered(variables, source_size) for kind, variables in kinds.items()}
    return Checkpoint(path, step, **found)


def find(place: str | Path) -> Path:
    """Returns the prefix of a checkpoint's files; for a folder, the prefix of its newest checkpoint.

    Raises:
        RunError: The checkpoint does not exist.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        there = [Path(str(file).removesuffix(".index")) for file in path.glob("*.index")]
        if not there:
            raise RunError(f"{str(place)!r} holds no TensorFlow checkpoint: no file in it ends in .index.")
        return max(there, key=_number)
    prefix = Path(_DATA.sub("", str(path)))
    if not Path(f"{prefix}.index").is_file():
        raise RunError(f"{str(place)!r} is no TensorFlow checkpoint: '{prefix}.index' does not exist.")
    return prefix


def _kind(name: str) -> tuple[str | None, str]:
    """Returns the part of a checkpoint that an entry belongs to, and the name of its variable."""
    if adam := _ADAM.match(name):
        return ("momentums" if adam[2] == "Adam" else "velocities"), adam[1]
    if _BOOKKEEPING.match(name) or _OTHER_STATE.match(name):
        return None, name
    return "weights", name


def _is_known(variable: str) -> bool:
    try:
        path_of(variable)
    except KeyError:
        return False
    return True


def _number(path: Path) -> int:
    found = re.search(r"-(\d+)$", path.name)
    return int(found[1]) if found else 0
