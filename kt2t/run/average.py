"""Averages a run's last checkpoints into a checkpoint of its own: `checkpoints/average`."""

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
    """The result of `average_checkpoints`.

    Attributes:
        checkpoint: Folder of the averaged checkpoint.
        steps: Steps of the checkpoints that were averaged, in ascending order.
        made: Whether the average was computed now; False if an existing one was reused.
    """

    checkpoint: Path
    steps: list[int]
    made: bool


def average_checkpoints(folder: RunFolder, last: int | None = None, to_read: bool = False) -> Average:
    """Averages the weights of a run's last checkpoints and writes the mean as the checkpoint `checkpoints/average`.

    If that folder already holds the average of exactly these checkpoints, nothing is computed. Damaged checkpoints are
    skipped with a warning. Step 0 never counts, because nothing was trained there.

    Args:
        folder: The run.
        last: Number of checkpoints to average. Default: the number used for the existing average, else `train.average`
            of the recipe. If the run keeps fewer checkpoints, all of them are averaged.
        to_read: Whether only this process reads the average. If the run folder cannot be written, a temporary folder is
            used then, which is removed when the process ends.

    Raises:
        RuntimeError: The run does not exist or has no trained checkpoint.
        OSError: The run folder cannot be written, and `to_read` is False.
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
        logger.info("%s was the mean of %s; averaging again", path, steps_in_words(_steps(before)))
    try:
        checkpoints.average(found, path, {"last": count})
    except ResourceError as error:
        if not to_read:
            raise
        logger.warning("the mean is not kept with the run: %s", error.message)
        path = _temporary() / NAME
        checkpoints.average(found, path, {"last": count})
    return Average(path, steps, made=True)


def steps_in_words(steps: list[int]) -> str:
    """Formats step numbers for a message, for example `step 8` or `steps 4, 8 and 12`."""
    *front, end = [f"{step:,}" for step in steps]
    return f"steps {', '.join(front)} and {end}" if front else f"step {end}"


def _temporary() -> Path:
    """Makes a new folder that is removed when the process ends."""
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
        logger.warning("%s Averaging again.", error.message)
        return None


def _steps(manifest: Any) -> list[int]:
    return [one["step"] for one in manifest.extra["averaged"]]
