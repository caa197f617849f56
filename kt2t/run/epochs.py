"""Replaces `train.epochs` by `train.steps`, once the data is prepared and its batches can be counted."""

from __future__ import annotations

import copy
import logging
from typing import Any

from kt2t.data.problem import Problem
from kt2t.recipe import STEPS, Recipe

logger = logging.getLogger("kt2t")


def with_steps(recipe: Recipe, problem: Problem) -> Recipe:
    """Returns a copy of the recipe with its epochs converted to steps, in `train.steps` and each `=train.steps`.

    The steps are `train.epochs` times the number of batches in the training split, rounded up to a multiple of
    `train.steps_per_call`. A recipe without `train.epochs` is returned unchanged.

    Args:
        recipe: A checked recipe.
        problem: The recipe's problem. Its data must be prepared.
    """
    train = recipe.train
    if train.epochs is None:
        return recipe
    batches = problem.batches("train", **train.batch, seed=train.seed)  # type: ignore[arg-type]
    each = len(batches.plan)
    calls = -(-train.epochs * each // train.steps_per_call)
    steps = calls * train.steps_per_call
    logger.info("train.epochs %d: %s batches an epoch, so train.steps is %s", train.epochs, f"{each:,}", f"{steps:,}")
    found = copy.copy(recipe)
    found.nodes = {section: _replaced(node, steps) for section, node in recipe.nodes.items()}
    found.nodes["train"] = {**found.nodes["train"], "steps": steps}
    return found


def _replaced(value: Any, steps: int) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, steps) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, steps) for item in value]
    return steps if value == STEPS else value
