"""Checks that a model fits its problem, before the data is prepared."""

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
    """Constructs the recipe's model for the problem's expected features, to find errors before the data is prepared.

    No weights are created. If the data is already prepared, or the problem cannot know its features without records,
    this does nothing.

    Args:
        recipe: A checked recipe.
        problem: The recipe's problem.
        data_dir: Folder of prepared data.

    Raises:
        ValueError: The model does not take the problem's features, or refuses an option; with the file and line of the
            recipe.
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
