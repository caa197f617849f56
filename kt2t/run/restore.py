"""Rebuilds the problem, model and search of a run from its recipe, vocabularies and a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt2t import marked_yaml
from kt2t.data.problem import Problem
from kt2t.errors import RecipeError, RunError
from kt2t.options import nearest
from kt2t.recipe import Origin, Recipe, check_node
from kt2t.recipe_file import COMMAND
from kt2t.run import assemble as assembling
from kt2t.run.average import average_checkpoints, steps_in_words
from kt2t.run.folder import RunFolder, is_location
from kt2t.run.newest import newest_checkpoint
from kt2t.signatures import static_options

logger = logging.getLogger("kt2t")
BEAMS = 4  # number of beams if an override sets only `n_best`


@dataclass
class Restored:
    """A run that was loaded from disk.

    Attributes:
        assembly: The run's problem, model and search; the model has the weights of the checkpoint.
        step: The step of the checkpoint.
    """

    assembly: assembling.Assembly
    step: int


def restored(
    run: Path,
    checkpoint: str | None = None,
    overrides: Sequence[str] = (),
    ready: Callable[[Problem], Any] | None = None,
    trains: bool = True,
) -> Restored:
    """Rebuilds a run's problem, model and search, and loads a checkpoint's weights into the model.

    If the checkpoint holds moving averages of the weights (`use_ema`), the model gets the averages.

    Args:
        run: The run folder.
        checkpoint: `last`, `best`, `average` or a step. Default: `best` if the recipe sets `report.best`, else `last`.
        overrides: `KEY=VALUE` for the search (`report.decode.beams=8`), or for paths of the data (`problem.path=DIR`).
        ready: Function that prepares the problem's data, called before the model is built. None loads the run's own
            vocabularies instead, which suffice to predict.
        trains: Whether to compile the model with its optimizer. A model that only answers loads faster without.

    Raises:
        RuntimeError: The run or checkpoint does not exist or is damaged, or the prepared data has another vocabulary.
    """
    from kt2t.training import checkpoints
    from kt2t.training.averages import take_averages

    folder = RunFolder(run)
    recipe = folder.recipe()
    override(recipe, overrides)
    if recipe.train.strategy != "none":  # this process may have other devices than the training had
        recipe.nodes["train"] = {**recipe.nodes["train"], "strategy": "auto"}
    path = checkpoint_path(folder, recipe.report.best, checkpoint)
    problem = assembling.problem_of(recipe)
    problem.given_vocabularies()  # read first: they decide the name of the prepared data's folder
    if ready is None:
        assembling.restore_vocabularies(problem, folder.vocabularies)
    else:
        ready(problem)
        assembling.check_vocabularies(problem, folder.vocabularies)
    trains = trains or checkpoints.has_averages(path)
    assembly = assembling.assemble(recipe, problem) if trains else assembling.assemble_to_answer(recipe, problem)
    manifest = checkpoints.restore(path, assembly.model)
    if trains and manifest.optimizer is not None:
        take_averages(assembly.model)
    return Restored(assembly, manifest.step)


def checkpoint_path(folder: RunFolder, best: str | None, name: str | None = None) -> Path:
    """Returns the folder of a run's checkpoint. For `average`, averages the run's last checkpoints first, if needed.

    Args:
        folder: The run.
        best: The recipe's `report.best`, the metric of the best checkpoint; None if the run keeps none.
        name: `last`, `best`, `average` or a step. Default: `best` if `best` is given and such a checkpoint exists, else
            `last`.

    Raises:
        RuntimeError: The checkpoint does not exist; the message names those that exist.
    """
    from kt2t.training import checkpoints

    name = name or ("best" if best and best_step(folder) is not None else "last")
    if name == "average" and checkpoints.saved(folder.checkpoints):
        average = average_checkpoints(folder, to_read=True)
        logger.info("%s: the mean of %s", average.checkpoint, steps_in_words(average.steps))
        return average.checkpoint
    if name == "last":
        path = newest_checkpoint(folder)
    else:
        step = best_step(folder) if name == "best" else int(name) if name.isdigit() else None
        path = None if step is None else folder.checkpoints / f"step-{step}"
    if path is None or not path.is_dir():
        raise RunError(
            f"{str(folder.path)!r} has no checkpoint {name!r}. There are: {', '.join(known(folder)) or 'none'}."
        )
    return path


def known(folder: RunFolder) -> list[str]:
    """Returns the values of `--checkpoint` that a run accepts: `last`, `average`, `best` if there is one, and its steps."""
    from kt2t.training import checkpoints

    steps = [path.name.removeprefix("step-") for path in checkpoints.saved(folder.checkpoints)]
    words = ["last", "average"] + (["best"] if best_step(folder) is not None else []) if steps else []
    return [*words, *steps]


def best_step(folder: RunFolder) -> int | None:
    """Returns the step of a run's best checkpoint, or None if the run has recorded none."""
    from kt2t.callbacks.checkpointing import read_best

    best = read_best(folder.checkpoints)
    return int(best["step"]) if best else None


def override(recipe: Recipe, overrides: Sequence[str]) -> None:
    """Changes the recipe of a trained run by `KEY=VALUE` overrides: options of the search, or paths of the data.

    Args:
        recipe: The run's recipe, which is modified.
        overrides: For example `report.decode.beams=8` or `problem.path=DIR`. The value `~` removes an option of the
            search.

    Raises:
        ValueError: The key is another option, or the value is invalid.
    """
    of_data = [one for one in overrides if is_location(tuple(one.partition("=")[0].split(".")))]
    for one in of_data:
        key, _, text = one.partition("=")
        if key.count(".") > 1:
            raise RecipeError(f"{one!r}: of a run's data, problem.path and problem.…_files can be changed.")
        option = key.removeprefix("problem.")
        check_node({**recipe.nodes["problem"], option: None}, "problem", "problem")
        value = None if text == "~" else marked_yaml.read(text).value
        recipe.nodes["problem"] = {**recipe.nodes["problem"], option: value}
        recipe.origins[("problem", option)] = Origin(COMMAND)
    _override_search(recipe, [one for one in overrides if one not in of_data])


def _override_search(recipe: Recipe, overrides: Sequence[str]) -> None:
    decode = dict(recipe.nodes["report"].get("decode") or assembling.SEARCH)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or key != "report.decode" and not key.startswith("report.decode."):
            raise RecipeError(
                f"{override!r}: only report.decode=… and report.decode.KEY=…, problem.path and problem.…_files can be changed "
                "for a trained run."
            )
        option = key.removeprefix("report.decode").lstrip(".")
        if text == "~":
            decode = _without(decode, option)
            continue
        value = marked_yaml.read(text).value
        if not option:
            decode = value
        elif option == "type" and value != decode.get("type"):
            decode = {"type": value}
        else:
            decode[option] = value
        if not isinstance(decode, dict):
            break
    decode = _with_beams(decode)
    try:
        check_node(decode, "decode", "report.decode")
    except RecipeError as error:
        hint = " Several hypotheses come of beam search: add report.decode.type=Beam." if "'n_best'" in error.message else ""
        raise type(error)(error.message + hint, path=error.path, file=COMMAND if overrides else None) from None
    recipe.nodes["report"] = {**recipe.nodes["report"], "decode": decode}


def _with_beams(decode: Any) -> Any:
    """Replaces `Greedy` by `Beam` in a search's options if they include an option that only beam search has."""
    if not isinstance(decode, dict) or decode.get("type") != "Greedy":
        return decode
    asked = set(decode) & set(static_options("Beam", "decode") or ()) - set(static_options("Greedy", "decode") or ())
    if not asked:
        return decode
    logger.info("%s: beam search, in place of Greedy", ", ".join(f"report.decode.{name}" for name in sorted(asked)))
    count = decode.get("n_best")
    beams = {"beams": max(BEAMS, count)} if isinstance(count, int) and "beams" not in decode else {}
    return {**decode, "type": "Beam", **beams}


def _without(decode: dict[str, Any], option: str) -> dict[str, Any]:
    if not option:
        return dict(assembling.SEARCH)
    if option not in decode:
        hint = nearest(option, decode)
        path = f"report.decode.{option}"
        raise RecipeError(f"there is no {path!r} to remove. {hint}".rstrip(), path=path, file=COMMAND)
    return {key: value for key, value in decode.items() if key != option}
