"""Finds the newest intact checkpoint of a run, and warns if the run was trained further than that."""

from __future__ import annotations

import logging
from pathlib import Path

from kt2t.run.folder import RunFolder

logger = logging.getLogger("kt2t")


def newest_checkpoint(folder: RunFolder) -> Path | None:
    """Returns the folder of a run's newest intact checkpoint, or None if there is none.

    Damaged checkpoints are skipped with a warning. Another warning appears if the run was trained to a later step whose
    checkpoint is gone.
    """
    from kt2t.training import checkpoints

    path = checkpoints.newest(folder.checkpoints)
    reached = trained_to(folder)
    steps = [int(one.name.removeprefix("step-")) for one in checkpoints.saved(folder.checkpoints)]
    if path is not None and reached > max(steps):
        logger.warning(
            "%s was trained to step %d, but the checkpoint of that step is gone: using %s.", folder.path, reached, path.name
        )
    return path


def trained_to(folder: RunFolder) -> int:
    """Returns the last step that a run's `run.json` or `best.json` records; 0 if there is none.

    A run that was killed may have been trained further.
    """
    from kt2t.callbacks.checkpointing import read_best

    best = read_best(folder.checkpoints) or {}
    steps = [folder.manifest().get("step"), best.get("step"), *(best.get("since") or ())]
    return max((step for step in steps if type(step) is int), default=0)
