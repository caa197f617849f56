"""Checks, before data is prepared, that a model fits its problem."""

from __future__ import annotations

import logging
from pathlib import Path

from kt2t.data.location import folder_for
from kt2t.data.prepared import MANIFEST
from kt2t.data.problem import Problem
from kt2t.recipe import Recipe
from kt2t.run.assemble import located, unbuilt_model

logger = logging.getLogger("kt2t")


def check_fit(recipe: Recipe, problem: Problem, data_dir: Path | None = None) -> None:
    """Builds the model without weights for the expected features, if the data is not prepared yet.

    Nothing is checked where a problem knows its features only after it was prepared.

    Args:
        recipe: Checked.
        problem: The problem of the recipe.
        data_dir: See `Problem.prepare`.

    Raises:
        ValueError: The model does not take the problem's features, or refuses an option; with file and line.
    """
    if (folder_for(problem, data_dir) / MANIFEST).is_file():
        return
    try:
        features = problem.expected_features()
    except Exception as error:  # a problem of the user's own may need its records for this
        logger.debug("the features of %s are not known yet: %s", type(problem).__name__, error)
        return
    with located(recipe):
        unbuilt_model(recipe, features)
