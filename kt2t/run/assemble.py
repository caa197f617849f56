"""Builds the objects that a recipe describes; connects data and models, through the problem's features."""

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

SEARCH = {"type": "Greedy"}  # the search of recipes without `report.decode`
logger = logging.getLogger("kt2t")


@dataclass
class Assembly:
    """The objects that a recipe describes, built and ready to train or to answer.

    Attributes:
        recipe: The recipe that the objects were built from.
        problem: The problem, whose vocabularies are known.
        model: The model for the problem's features; compiled if `assemble` built it.
        search: The search that decodes answers, such as `Beam`; `Greedy` if the recipe names none.
        full: The recipe with every option written out, and `auto` dtype resolved. A run stores it, so that later
            defaults or another processor do not change the run. From `assemble_to_answer` it is `recipe` itself.
    """

    recipe: Recipe
    problem: Problem
    model: Any
    search: Any
    full: Recipe


def problem_of(recipe: Recipe) -> Problem:
    """Builds the recipe's problem, i.e. the dataset with its features, vocabularies and scores. Does not import keras.

    Raises:
        ValueError: The problem refuses an option, or the class is not a problem or has no examples of its own; with
            file and line.
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
    """Builds the recipe's model, optimizer and search, and compiles the model for the problem's features.

    Args:
        recipe: A checked recipe.
        problem: The recipe's problem. Its vocabularies must be trained.

    Raises:
        ValueError: A class refuses an option, the features do not fit the model, or `report.best` is not measured; with
            the file and line of the recipe.
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
        described = registry.describe(optimizer, full=True)  # before `compile` takes the clipping options off it
        metrics = with_metrics(problem.metrics(), recipe.report.metrics)
        feed = _feed(recipe, model)
        with _refused_as("optimizer"):
            model.compile(
                optimizer=optimizer,
                loss=problem.loss(),
                loss_weights=problem.loss_weights,
                metrics=metrics,
                metrics_in_training=False,
                steps_per_execution=train.steps_per_call,
                micro_batches=train.micro_batches,
                feed=feed,
                jit_compile=_is_compiled(train.jit_compile),
                max_bad_steps=train.max_bad_steps,
                seed=train.seed,
            )
        model.optimizer.build(model.trainable_variables)
        object.__setattr__(model, "encode_texts", problem.batch_of)  # not through Keras, which would track it
        search = _search(recipe)
        _check_best(recipe, problem, metrics)
    return Assembly(recipe, problem, model, search, _full(recipe, problem, model, described))


def assemble_to_answer(recipe: Recipe, problem: Problem) -> Assembly:
    """Builds the recipe's model and search like `assemble`, but neither makes an optimizer nor compiles the model.

    Use it for a model that only answers. The field `full` of the result is `recipe` itself.

    Raises:
        ValueError: A class refuses an option, or the features do not fit the model; with the file and line of the
            recipe.
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
    """Resets Keras's counters of layer names, so that a model's layers get the same names in every process.

    TensorFlow sums in the order of these names, so other names would change the last bits of results.
    """
    from keras.src.utils.naming import reset_uids  # `clear_session`, the public way, forgets a user's policies too

    reset_uids()


def build_model(recipe: Recipe, features: dict[str, Any]) -> Any:
    """Builds the recipe's model and creates its weights, under the dtype policy of `train.dtype`. Does not compile it.

    Args:
        recipe: A checked recipe.
        features: The problem's features by field, i.e. the shape, dtype and vocabulary size of `inputs`, `targets`….

    Raises:
        ValueError: The model refuses an option or does not fit the features; with the file and line of the recipe.
    """

    from kt2t.training.precision import dtype_policy, precision

    with located(recipe), dtype_policy(precision(recipe.train.dtype)):
        model = unbuilt_model(recipe, features)
        with _refused_as("model"):
            model.build()
    return model


def unbuilt_model(recipe: Recipe, features: dict[str, Any]) -> Any:
    """Constructs the recipe's model for the given features, without creating weights.

    Args:
        recipe: A checked recipe.
        features: The problem's features by field.

    Raises:
        ValueError: The model refuses an option, or does not fit the features. For the latter the error names
            `model.type` or `problem.type`: the one that was set on the command line, if either was.
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


def _feed(recipe: Recipe, model: Any) -> list[Any]:
    """Builds the changes to what the model reads in training."""
    from kt2t.training.feeds.feed import Feed

    found = []
    for path, node in recipe.train.feeds:
        built = registry.build(node, "feed", path)
        if not isinstance(built, Feed):
            raise RecipeError(f"{node['type']!r} does not change what a model reads.", path=f"{path}.type")
        with _refused_as(path):
            built.check(model.features)
        found.append(built)
    return found


def _is_compiled(jit_compile: bool | str) -> bool:
    """Whether XLA compiles the step. `auto` means yes on JAX, which otherwise runs each operation separately, and no on
    TensorFlow, which makes graphs without XLA.
    """
    import keras

    return keras.backend.backend() == "jax" if jit_compile == "auto" else bool(jit_compile)


def _full(recipe: Recipe, problem: Problem, model: Any, optimizer: dict[str, Any]) -> Recipe:
    from kt2t.training.precision import precision

    described = {section: registry.describe(getattr(recipe, section), full=True) for section in ("train", "report")}
    for node in described.values():
        del node["type"]
    described["train"].update(steps=recipe.train.steps, epochs=None)  # `epochs` were counted in steps before
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
    """Saves each vocabulary of the problem in `folder/FIELD`."""
    for field, vocabulary in problem.vocabularies().items():
        vocabulary.save(folder / field)


def restore_vocabularies(problem: Problem, folder: Path) -> None:
    """Loads the vocabularies saved in `folder/FIELD` into the problem, so that it needs no prepared data.

    Raises:
        DataError: A vocabulary file is missing or damaged.
    """
    for field, vocabulary in problem.vocabularies().items():
        vocabulary.restore(Vocabulary.load(folder / field).contents())


def check_vocabularies(problem: Problem, folder: Path) -> None:
    """Checks that the problem's vocabularies equal those saved in a run, so that token ids still mean the same tokens.

    Args:
        problem: The problem, with its vocabularies.
        folder: The folder of the run's vocabularies, one sub-folder per field.

    Raises:
        RuntimeError: A vocabulary differs from the saved one.
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
    """Adds the recipe's file and line to each RecipeError from the `with` block that names an option by its path."""
    try:
        yield
    except RecipeError as error:
        raise recipe.located(error) from error.__cause__


@contextmanager
def _refused_as(path: str) -> Iterator[None]:
    """Turns a ValueError or TypeError from the `with` block into a RecipeError for the option `path`, keeping its first
    line of text.

    Keras wraps errors of constructors in several lines of its own, which are dropped.
    """
    try:
        yield
    except RecipeError:
        raise
    except (ValueError, TypeError) as error:
        lines = [line for line in str(error).splitlines() if line and not line.startswith("Exception encountered")]
        raise RecipeError(lines[0] if lines else str(error), path=path) from error
