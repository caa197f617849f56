"""Early stopping of a run: ends it when `report.patience` evaluations in a row were no better than the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kt2t.recipe import Recipe
from kt2t.run.folder import RunFolder
from kt2t.run.restore import best_step

if TYPE_CHECKING:
    from kt2t.callbacks import EarlyStopping


def early_stopping(folder: RunFolder, recipe: Recipe) -> EarlyStopping | None:
    """Makes the callback that ends a run early; None if its recipe has no patience.

    A run that ended early continues with a larger `report.patience`, as if it had always been that large. It also
    continues with a larger `train.steps`; then the evaluations are counted from zero.
    """
    from kt2t.callbacks import EarlyStopping

    report = recipe.report
    if report.patience is None or report.best is None:
        return None
    kept = folder.manifest()
    ended = kept.get("ended_early")
    if ended and recipe.train.steps > ended["steps"]:
        kept["patience_after"] = ended["step"]
        folder.update(patience_after=ended["step"], ended_early=None)
    return EarlyStopping(folder.checkpoints, report.best, report.patience, after=kept.get("patience_after", 0))


def note_end(folder: RunFolder, recipe: Recipe, step: int, early: EarlyStopping | None) -> str | None:
    """Records in the run whether it ended early, and returns the reason in words, or None."""
    over = early is not None and early.is_over()
    folder.update(ended_early={"step": step, "steps": recipe.train.steps} if over else None)
    return why(folder, recipe, early)


def why(folder: RunFolder, recipe: Recipe, early: EarlyStopping | None) -> str | None:
    """Returns why a run ended before its last step; None if it did not."""
    if early is None or not early.is_over():
        return None
    count = len(early.waited())
    return f"{recipe.report.best} has not improved since step {best_step(folder)}, for {count} evaluations"
