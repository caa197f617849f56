"""A checkpoint of TensorFlow 1, read: weights and Adam's state by our attribute paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kt2t.errors import RunError, listed
from kt2t.tensor2tensor.variables import gathered, path_of

# Kept beside the model by the trainer, and no part of it.
_BOOKKEEPING = re.compile(
    r"global_step$|(?:.*/)?(?:beta[12]_power|loss_scale|good_steps|bad_steps)(?:_\d+)?$|losses_avg/|train_stats/|problem_\d+_steps$"
)
_ADAM = re.compile(r"(?:training/)?(.+)/(Adam|Adam_1)$")
_OTHER_STATE = re.compile(r"training/|.*/(?:Adafactor|AdafactorOptimizer|Momentum|ExponentialMovingAverage)(?:_\d+)?$")
_DATA = re.compile(r"\.(?:index|meta|data-\d+-of-\d+)$")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        step: Updates done.
        weights: By our attribute paths.
        momentums, velocities: Adam's means of gradients and of their squares, by the same; empty where there are none.
    """

    path: Path
    step: int
    weights: dict[str, np.ndarray]
    momentums: dict[str, np.ndarray]
    velocities: dict[str, np.ndarray]

    @property
    def target_space(self) -> int | None:
        """The only row of the target spaces' table that was ever trained; None where that cannot be told."""
        moved = self.velocities.get("target_space_embedding.table", np.zeros((1, 1)))
        rows = np.flatnonzero(moved.any(axis=1))
        return int(rows[0]) if len(rows) == 1 else None


def read(place: str | Path, source_size: int | None = None) -> Checkpoint:
    """Reads a checkpoint whole.

    Args:
        place: The folder of checkpoints, of which the newest is taken, or one of them, as in `model.ckpt-1000`.
        source_size: As for `path_of`.

    Raises:
        RunError: There is none, it is damaged, or it holds variables that are no part of the Transformer; they are named.
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
            f"{str(path)!r} holds variables that our Transformer has no place for: {listed(strange, ', ')}. "
            "It is of another model, or of an option that is not built here."
        )
    found = {kind: gathered(variables, source_size) for kind, variables in kinds.items()}
    return Checkpoint(path, step, **found)


def find(place: str | Path) -> Path:
    """The prefix of a checkpoint's files.

    Raises:
        RunError: There is no such checkpoint.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        there = [Path(str(file).removesuffix(".index")) for file in path.glob("*.index")]
        if not there:
            raise RunError(f"{str(place)!r} holds no checkpoint of TensorFlow: no file in it ends in .index.")
        return max(there, key=_number)
    prefix = Path(_DATA.sub("", str(path)))
    if not Path(f"{prefix}.index").is_file():
        raise RunError(f"{str(place)!r} is no checkpoint of TensorFlow: '{prefix}.index' does not exist.")
    return prefix


def _kind(name: str) -> tuple[str | None, str]:
    """Which part of a checkpoint an entry belongs to, and the variable that it is of."""
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
