"""Where a new run takes its first weights from: `train.start_from`, another run or one of its checkpoints."""

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


def start_of(recipe: Recipe) -> Path | None:
    """The checkpoint that a new run begins with, None where it begins with fresh weights.

    Of a run it is the one that `evaluate` would take: the best if its recipe names one, else the last.

    Raises:
        ValueError: There is no such path.
        RuntimeError: It is neither a run nor a checkpoint, or a run without a checkpoint.
    """
    from kt2t.training import manifest

    given = recipe.train.start_from
    if given is None:
        return None
    path = Path(given).expanduser()
    if not path.exists():
        raise recipe.located(RecipeError(f"{given!r} does not exist.", path=OPTION))
    if (path / manifest.NAME).is_file():
        return path
    run = RunFolder(path)
    if not run.exists:
        raise recipe.located(
            RunError(f"{given!r} holds neither a run (run.json) nor a checkpoint ({manifest.NAME}).", path=OPTION)
        )
    try:
        return checkpoint_path(run, run.recipe().report.best)
    except RunError as error:
        raise recipe.located(RunError(error.message, path=OPTION)) from None


def start(assembly: Assembly, path: Path) -> None:
    """Takes the weights that fit, and tells what did not; the optimizer stays fresh, at step 0.

    Where the optimizer kept averages of the weights (`use_ema`), the weights themselves are taken, not the averages.

    Raises:
        RuntimeError: The checkpoint is damaged, or nothing of it fits.
    """
    from kt2t.training.warm_start import take_weights

    try:
        taken = take_weights(path, assembly.model)
    except RunError as error:
        raise assembly.recipe.located(RunError(error.message, path=OPTION)) from None
    logger.info("%s", taken.summary(), extra={"details": taken.lines()})
    for told in _other_words(assembly.problem, path, taken.taken):
        logger.warning("%s", told)


def _other_words(problem: Problem, path: Path, taken: dict[str, list[int]]) -> list[str]:
    """Vocabularies whose ids mean other words than those that the weights were trained with."""
    told = []
    folder = RunFolder(path.parent.parent).vocabularies
    for field, vocabulary in problem.vocabularies().items():
        try:
            there = Vocabulary.load(folder / field)
        except DataError:
            continue  # a checkpoint that was moved out of its run, or a field that the other problem does not have
        if there.fingerprint == vocabulary.fingerprint or there.size != vocabulary.size:
            continue  # tables of another size are not taken
        if any(vocabulary.size in shape for shape in taken.values()):
            told.append(
                f"the vocabulary of {field!r} is not the one in {str(folder / field)!r}, though both have "
                f"{vocabulary.size:,} entries: what was learned for an entry there now stands for another one."
            )
    return told
