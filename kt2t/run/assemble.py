"""From a recipe to objects: the one place where data meets models, through the features of the problem."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt2t import registry
from kt2t.data.problem import Problem
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import RecipeError, RunError
from kt2t.recipe import Recipe

logger = logging.getLogger("kt2t")


@dataclass
class Assembly:
    """What a recipe describes, built: a problem, a compiled model that fits it, and the search that decodes."""

    recipe: Recipe
    problem: Problem
    model: Any
    search: Any

    def full_recipe(self) -> Recipe:
        """The recipe with every option written out, so that a later change of a default does not change this run."""
        described = {
            "problem": registry.describe(self.problem, full=True),
            "model": registry.describe(self.model, full=True),
            "optimizer": registry.describe(self.model.optimizer, full=True),
            "train": registry.describe(self.recipe.train, full=True),
            "report": registry.describe(self.recipe.report, full=True),
        }
        del described["model"]["features"]
        if "optimizer" in self.recipe.nodes:
            described["optimizer"] = {**described["optimizer"], **self.recipe.nodes["optimizer"]}
        for section in ("train", "report"):
            del described[section]["type"]
        full = Recipe(**described)
        full.name = self.recipe.name
        return full


def problem_of(recipe: Recipe) -> Problem:
    """The problem of a recipe; keras is not needed for it.

    Raises:
        ValueError: An option that the problem refuses, with file and line.
    """
    for module, note in recipe.plugins.items():
        logger.info("using %s from %s", module, note["file"])
    with _located(recipe):
        problem = registry.build(recipe.nodes["problem"], "problem", "problem")
        if not isinstance(problem, Problem):
            raise RecipeError(f"{recipe.nodes['problem']['type']!r} is not a problem.", path="problem.type")
        return problem


def assemble(recipe: Recipe, problem: Problem) -> Assembly:
    """Builds and compiles the model of a recipe for a problem whose vocabularies are known.

    Raises:
        ValueError: An option that its class refuses, or features that do not fit the model; with file and line.
    """
    import keras

    from kt2t.training.precision import dtype_policy, precision
    from kt2t.training.strategies import strategy

    train = recipe.train
    keras.utils.set_random_seed(train.seed)
    with _located(recipe), dtype_policy(precision(train.dtype)), strategy(train.strategy):
        model = registry.build(recipe.nodes["model"], "model", "model", features=problem.features())
        model.build()
        optimizer = registry.build(recipe.nodes["optimizer"], "optimizer", "optimizer")
        model.compile(
            optimizer=optimizer,
            loss=problem.loss(),
            metrics=problem.metrics(),
            metrics_in_training=False,
            seed=train.seed,
        )
        optimizer.build(model.trainable_variables)
        search = registry.build(recipe.report.decode or {"type": "Greedy"}, "decode", "report.decode")
    return Assembly(recipe, problem, model, search)


def save_vocabularies(problem: Problem, folder: Path) -> None:
    """Keeps with a run what its texts were encoded with."""
    for field, vocabulary in problem.vocabularies().items():
        vocabulary.save(folder / field)


def restore_vocabularies(problem: Problem, folder: Path) -> None:
    """Gives a problem the vocabularies of a run.

    Raises:
        DataError: One of them is missing or damaged.
    """
    for field, vocabulary in problem.vocabularies().items():
        vocabulary.restore(Vocabulary.load(folder / field).contents())


def check_vocabularies(problem: Problem, folder: Path) -> None:
    """Holds the problem's vocabularies against those of a run.

    Raises:
        RuntimeError: One of them is another one: ids would mean other words.
    """
    for field, vocabulary in problem.vocabularies().items():
        kept = Vocabulary.load(folder / field)
        if kept.fingerprint != vocabulary.fingerprint:
            raise RunError(
                f"the vocabulary of {field!r} is not the one that this run was trained with "
                f"({vocabulary.fingerprint[:12]} here, {kept.fingerprint[:12]} in {str(folder)!r}). "
                "The prepared data has changed: train anew in another folder with --run-dir."
            )



@contextmanager
def _located(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except RecipeError as error:
        raise recipe.located(error) from error.__cause__
