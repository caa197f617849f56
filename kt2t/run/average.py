"""The mean of a run's last checkpoints, as a checkpoint of its own: `checkpoints/average`."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from kt2t.errors import ResourceError, RunError
from kt2t.run.folder import RunFolder

logger = logging.getLogger("kt2t")
NAME = "average"


@dataclass(frozen=True)
class Average:
    """Where the mean lies, the steps it is of, and whether it was made now or there already."""

    checkpoint: Path
    steps: list[int]
    made: bool


def averaged(folder: RunFolder, last: int | None = None, to_read: bool = False) -> Average:
    """The mean of the last checkpoints' weights: the one that is there if it is of these checkpoints, else made anew.

    A damaged checkpoint is passed over with a warning, and so is step 0, where nothing was trained yet.

    Args:
        last: How many; by default as many as last time, at first `train.average`. Where fewer are kept, all of them.
        to_read: Whether the mean is only read in this process: where the run cannot be written, it is made in a temporary
            folder, which is removed as the process ends.

    Raises:
        RuntimeError: No such run, or it has no checkpoint.
        OSError: The run folder cannot be written, and the mean is not only to be read.
    """
    from kt2t.training import checkpoints

    path = folder.checkpoints / NAME
    before = _there(path)
    recipe = folder.recipe()
    count = last or int(before.extra.get("last", 0) if before else 0) or recipe.train.average
    newest = [one for one in checkpoints.saved(folder.checkpoints) if one.name != "step-0"][-count:]
    if before is not None and before.extra.get("last") == count and checkpoints.is_mean_of(before, newest):
        return Average(path, _steps(before), made=False)
    found = list(islice((one for one in checkpoints.intact(folder.checkpoints) if one.step > 0), count))[::-1]
    if not found:
        raise RunError(f"{str(folder.path)!r} has no checkpoints to average.")
    steps = [one.step for one in found]
    if before is not None and _steps(before) != steps:
        logger.info("%s was of %s: made anew", path, listed(_steps(before)))
    try:
        checkpoints.average(found, path, {"last": count})
    except ResourceError as error:
        if not to_read:
            raise
        logger.warning("the mean is not kept with the run: %s", error.message)
        path = _temporary() / NAME
        checkpoints.average(found, path, {"last": count})
    return Average(path, steps, made=True)


def listed(steps: list[int]) -> str:
    """`step 8`, `steps 4, 8 and 12`."""
    *front, end = [f"{step:,}" for step in steps]
    return f"steps {', '.join(front)} and {end}" if front else f"step {end}"


def _temporary() -> Path:
    """A new folder that is removed as the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="kt2t-average-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _there(path: Path) -> Any:
    from kt2t.training import checkpoints

    if not path.is_dir():
        return None
    try:
        return checkpoints.verify(path)
    except RunError as error:
        logger.warning("%s Making it anew.", error.message)
        return None


def _steps(manifest: Any) -> list[int]:
    return [one["step"] for one in manifest.extra["averaged"]]
