"""Ends a run early when `report.patience` evaluations in a row were no better than the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kt2t.recipe import Recipe
from kt2t.run.folder import RunFolder
from kt2t.run.restore import best_step

if TYPE_CHECKING:
    from kt2t.callbacks import EarlyStopping


def early_stopping(folder: RunFolder, recipe: Recipe) -> EarlyStopping | None:
    """Returns the callback that ends a run early, or None if the recipe sets no `report.patience` or no `report.best`.

    A run that ended early continues if `report.patience` is raised, as if it had always been that large. It also
    continues if `train.steps` is raised; then earlier evaluations no longer count, which is recorded in `run.json`.
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
    """Records in `run.json` whether the run ended early, and returns the reason as text, or None if it did not.

    Args:
        folder: The run.
        recipe: The run's recipe.
        step: The step at which training ended.
        early: The callback of `early_stopping`, or None.
    """
    over = early is not None and early.is_over()
    folder.update(ended_early={"step": step, "steps": recipe.train.steps} if over else None)
    return why(folder, recipe, early)


def why(folder: RunFolder, recipe: Recipe, early: EarlyStopping | None) -> str | None:
    """Returns the reason why the run ended before its last step, as text; None if it did not end early.

    Args:
        folder: The run.
        recipe: The run's recipe.
        early: The callback of `early_stopping`, or None.
    """
    if early is None or not early.is_over():
        return None
    count = len(early.waited())
    return f"{recipe.report.best} has not improved since step {best_step(folder)}, for {count} evaluations"
