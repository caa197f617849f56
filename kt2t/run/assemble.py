"""Builds the objects of a recipe: the only place where data and models are connected, through the problem's features."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt2t import data, registry
from kt2t.data.packing import check_packable
from kt2t.data.problem import Problem
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import RecipeError, RunError
from kt2t.options import nearest
from kt2t.recipe import SECTIONS, Recipe
from kt2t.recipe_file import COMMAND
from kt2t.report_metrics import with_metrics

SEARCH = {"type": "Greedy"}  # where a recipe names none
logger = logging.getLogger("kt2t")


@dataclass
class Assembly:
    """The objects of a recipe: the problem, a compiled model for its features, and the search.

    `full` is the recipe with every option written out, so that a later change of a default, or another processor, does not
    change the run.
    """

    recipe: Recipe
    problem: Problem
    model: Any
    search: Any
    full: Recipe


def problem_of(recipe: Recipe) -> Problem:
    """Builds the problem of a recipe, without keras.

    Raises:
        ValueError: An option that the problem refuses, with file and line.
    """
    for module, note in recipe.plugins.items():
        logger.info("using %s from %s", module, note["file"])
    with located(recipe):
        problem = registry.build(recipe.nodes["problem"], "problem", "problem")
        if not isinstance(problem, Problem):
            raise RecipeError(f"{recipe.nodes['problem']['type']!r} is not a problem.", path="problem.type")
        if type(problem) in (getattr(data, name) for name in data.BASES):
            raise RecipeError(
                f"{type(problem).__name__} has no examples: it is what a problem's class is made of. "
                "Write one (see README), or choose of `kt2t list problems`.",
                path="problem.type",
            )
        return problem


def assemble(recipe: Recipe, problem: Problem) -> Assembly:
    """Builds and compiles the model of a recipe for a problem whose vocabularies are known.

    Raises:
        ValueError: An option that its class refuses, or features that do not fit the model; with file and line.
    """
    import keras

    from kt2t.training.strategies import strategy_scope

    train = recipe.train
    keras.utils.set_random_seed(train.seed)
    _number_layers_anew()
    with located(recipe), strategy_scope(train.strategy):
        if "pack" in train.batch:
            check_packable(problem.features())
        model = build_model(recipe, problem.features())
        if "pack" in train.batch and not getattr(model, "takes_packed_rows", True):
            kind = type(model).__name__
            raise RecipeError(
                f"{kind} with these options reads one example a row. Leave it out.", path="train.batch.pack"
            )
        optimizer = _built(recipe, "optimizer", keras.optimizers.Optimizer, "an optimizer")
        described = registry.describe(optimizer, full=True)  # before `compile`, which takes its clipping over
        metrics = with_metrics(problem.metrics(), recipe.report.metrics)
        with _refused_as("optimizer"):
            model.compile(
                optimizer=optimizer,
                loss=problem.loss(),
                loss_weights=problem.loss_weights,
                metrics=metrics,
                metrics_in_training=False,
                steps_per_execution=train.steps_per_call,
                micro_batches=train.micro_batches,
                jit_compile=_is_compiled(train.jit_compile),
                max_bad_steps=train.max_bad_steps,
                seed=train.seed,
            )
        model.optimizer.build(model.trainable_variables)
        object.__setattr__(model, "encode_texts", problem.batch_of)  # past Keras, which would track it
        search = _search(recipe)
        _check_best(recipe, problem, metrics)
    return Assembly(recipe, problem, model, search, _full(recipe, problem, model, described))


def assemble_to_answer(recipe: Recipe, problem: Problem) -> Assembly:
    """Like `assemble`, for a model that only answers: it is not compiled, and `full` is the recipe itself.

    Raises:
        ValueError: As of `assemble`.
    """
    import keras

    from kt2t.training.strategies import strategy_scope

    keras.utils.set_random_seed(recipe.train.seed)
    _number_layers_anew()
    with located(recipe), strategy_scope(recipe.train.strategy):
        model = build_model(recipe, problem.features())
        object.__setattr__(model, "encode_texts", problem.batch_of)
        return Assembly(recipe, problem, model, _search(recipe), recipe)


def _search(recipe: Recipe) -> Any:
    from kt2t.decoding import Search

    decode = recipe.report.decode or SEARCH
    search = registry.build(decode, "decode", "report.decode")
    if not isinstance(search, Search):
        raise RecipeError(f"{decode['type']!r} is not a search.", path="report.decode.type")
    return search


def _number_layers_anew() -> None:
    """TensorFlow adds up in the order of layers' names, numbered through a process: others give other last bits."""
    from keras.src.utils.naming import reset_uids  # `clear_session`, the public way, forgets a user's policies too

    reset_uids()


def build_model(recipe: Recipe, features: dict[str, Any]) -> Any:
    """Builds the model of a recipe for some features, with all its weights, without compiling it.

    Raises:
        ValueError: An option that the model refuses, with file and line.
    """

    from kt2t.training.precision import dtype_policy, precision

    with located(recipe), dtype_policy(precision(recipe.train.dtype)):
        model = unbuilt_model(recipe, features)
        with _refused_as("model"):
            model.build()
    return model


def unbuilt_model(recipe: Recipe, features: dict[str, Any]) -> Any:
    """Makes the model of a recipe for some features, without weights.

    Raises:
        ValueError: An option that the model refuses; or the features do not fit the model, which is said of the type of the
            model or of the problem: of that which the command line gave.
    """
    import keras

    try:
        return _built(recipe, "model", keras.Model, "a model", features=features)
    except RecipeError as error:
        if error.path != "model.features":
            raise
        of_command = [section for section in ("model", "problem") if _is_given(recipe, section)]
        section = of_command[0] if of_command else "model"
        raise RecipeError(error.message, path=f"{section}.type") from error.__cause__


def _is_given(recipe: Recipe, section: str) -> bool:
    """Whether the type of a section comes from the command line."""
    origin = recipe.origins.get((section, "type")) or recipe.origins.get((section,))
    return origin is not None and origin.file == COMMAND


def _built(recipe: Recipe, section: str, kind: type, words: str, **supplied: Any) -> Any:
    node = recipe.nodes[section]
    built = registry.build(node, section, section, **supplied)
    if not isinstance(built, kind):
        raise RecipeError(f"{node['type']!r} is not {words}.", path=f"{section}.type")
    return built


def _is_compiled(jit_compile: bool | str) -> bool:
    """Whether XLA compiles the step. On JAX only it makes one computation of a step; TensorFlow's graphs do without."""
    import keras

    return keras.backend.backend() == "jax" if jit_compile == "auto" else bool(jit_compile)


def _full(recipe: Recipe, problem: Problem, model: Any, optimizer: dict[str, Any]) -> Recipe:
    from kt2t.training.precision import precision

    described = {section: registry.describe(getattr(recipe, section), full=True) for section in ("train", "report")}
    for node in described.values():
        del node["type"]
    described["train"].update(steps=recipe.train.steps, epochs=None)  # counted by now
    described["train"]["dtype"] = precision(recipe.train.dtype)
    described["problem"] = registry.describe(problem, full=True)
    described["model"] = registry.describe(model, full=True)
    del described["model"]["features"]
    full = Recipe(**{section: {**described, "optimizer": optimizer}[section] for section in SECTIONS})
    full.name, full.plugins = recipe.name, recipe.plugins
    return full


def _check_best(recipe: Recipe, problem: Problem, metrics: Any) -> None:
    from kt2t.callbacks.logs import bare
    from kt2t.data.judging import by_name, keyed

    best = recipe.report.best
    if best is None:
        return
    scores = [*by_name(problem.scores()), *problem.derived_metric_names] if recipe.report.score else []
    targets: Any = problem.features()["targets"]
    losses = [keyed(targets, key, "loss") for key in targets] if isinstance(targets, dict) else []
    known = list(dict.fromkeys([*scores, *by_name(metrics), *losses, "loss"]))
    if bare(best) not in known:
        raise RecipeError(f"{best!r} is not measured. {nearest(best, known)}".rstrip(), path="report.best")


def save_vocabularies(problem: Problem, folder: Path) -> None:
    """Saves the problem's vocabularies in a run folder."""
    for field, vocabulary in problem.vocabularies().items():
        vocabulary.save(folder / field)


def restore_vocabularies(problem: Problem, folder: Path) -> None:
    """Loads the vocabularies of a run into a problem.

    Raises:
        DataError: One of them is missing or damaged.
    """
    for field, vocabulary in problem.vocabularies().items():
        vocabulary.restore(Vocabulary.load(folder / field).contents())


def check_vocabularies(problem: Problem, folder: Path) -> None:
    """Checks that the problem's vocabularies equal those of a run.

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
def located(recipe: Recipe) -> Iterator[None]:
    """Adds file and line to errors from inside the `with` block that name an option."""
    try:
        yield
    except RecipeError as error:
        raise recipe.located(error) from error.__cause__


@contextmanager
def _refused_as(path: str) -> Iterator[None]:
    """What a constructor within refuses, as an error of the recipe; Keras wraps it in several lines of its own."""
    try:
        yield
    except RecipeError:
        raise
    except (ValueError, TypeError) as error:
        lines = [line for line in str(error).splitlines() if line and not line.startswith("Exception encountered")]
        raise RecipeError(lines[0] if lines else str(error), path=path) from error
