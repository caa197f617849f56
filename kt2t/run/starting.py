"""Starts a new run with the weights of another run or checkpoint, as `train.start_from` says."""

from __future__ import annotations

import logging
from pathlib import Path

from kt2t.data.problem import Problem
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import DataError, RecipeError, RunError
from kt2t.recipe import Recipe
from kt2t.run.assemble import Assembly
from kt2t.run.folder import RunFolder
from kt2t.run.restore import checkpoint_path

logger = logging.getLogger("kt2t")
OPTION = "train.start_from"


def start_checkpoint(recipe: Recipe) -> Path | None:
    """Returns the checkpoint folder that `train.start_from` names; None if the recipe starts with fresh weights.

    If `train.start_from` is a run, its best checkpoint is returned if its recipe sets `report.best`, otherwise its
    last.

    Raises:
        ValueError: The path does not exist.
        RuntimeError: The path is neither a run nor a checkpoint, or a run without a checkpoint.
    """
    from kt2t.training import manifest

    name = recipe.train.start_from
    if name is None:
        return None
    path = Path(name).expanduser()
    if not path.exists():
        raise recipe.located(RecipeError(f"{name!r} does not exist.", path=OPTION))
    if (path / manifest.NAME).is_file():
        return path
    run = RunFolder(path)
    if not run.exists:
        raise recipe.located(
            RunError(f"{name!r} holds neither a run (run.json) nor a checkpoint ({manifest.NAME}).", path=OPTION)
        )
    try:
        return checkpoint_path(run, run.recipe().report.best)
    except RunError as error:
        raise recipe.located(RunError(error.message, path=OPTION)) from None


def start(assembly: Assembly, path: Path) -> None:
    """Copies a checkpoint's weights into a new run's model where name and shape agree, and logs which were not copied.

    The optimizer starts fresh, at step 0. If the checkpoint also has moving averages of the weights (`use_ema`), the
    weights themselves are copied.

    Args:
        assembly: The new run's model and problem.
        path: Folder of the checkpoint.

    Raises:
        RuntimeError: The checkpoint is damaged, or none of its weights fits.
    """
    from kt2t.training.warm_start import take_weights

    try:
        taken = take_weights(path, assembly.model)
    except RunError as error:
        raise assembly.recipe.located(RunError(error.message, path=OPTION)) from None
    logger.info("%s", taken.summary(), extra={"details": taken.lines()})
    for warning in _vocabulary_warnings(assembly.problem, path, taken.taken):
        logger.warning("%s", warning)


def _vocabulary_warnings(problem: Problem, path: Path, taken: dict[str, list[int]]) -> list[str]:
    """Returns a warning for each vocabulary that assigns its ids to other tokens than the one that the weights were
    trained with.
    """
    warnings = []
    folder = RunFolder(path.parent.parent).vocabularies
    for field, vocabulary in problem.vocabularies().items():
        try:
            there = Vocabulary.load(folder / field)
        except DataError:
            continue  # the checkpoint was moved out of its run, or the other problem does not have this field
        if there.fingerprint == vocabulary.fingerprint or there.size != vocabulary.size:
            continue  # embedding tables of another size are not copied
        if any(vocabulary.size in shape for shape in taken.values()):
            warnings.append(
                f"the vocabulary of {field!r} is not the one in {str(folder / field)!r}, though both have "
                f"{vocabulary.size:,} entries: embeddings learned for one entry now stand for another one."
            )
    return warnings
