"""Trains a recipe in a run folder, or continues the run there, and evaluates the model at the end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt2t.callbacks.pace import step_of
from kt2t.disk import whole_file, writing
from kt2t.errors import RunError
from kt2t.recipe import CHANGEABLE, Place, Recipe
from kt2t.recipe_file import run_name
from kt2t.report_metrics import try_metrics
from kt2t.run import assemble as assembling
from kt2t.run.epochs import with_steps
from kt2t.run.evaluate import Evaluation, evaluate_model
from kt2t.run.fit import fit
from kt2t.run.fitting import check_fit
from kt2t.run.folder import RunFolder, following, is_location
from kt2t.run.launch import end_with_launcher
from kt2t.run.log import LogFormatter
from kt2t.run.newest import newest_checkpoint
from kt2t.run.patience import early_stopping, note_end, why
from kt2t.run.starting import start, start_checkpoint
from kt2t.versions import versions

logger = logging.getLogger("kt2t")


@dataclass
class Outcome:
    """The result of `train`.

    Attributes:
        folder: The run folder.
        step: The last step that was trained.
        signal: Number of the signal that stopped training; None if it was not stopped.
        evaluation: The evaluation at the end; None if training was stopped or the run was finished before.
        generates: Whether the model can answer examples, so that `kt2t predict` works.
    """

    folder: Path
    step: int
    signal: int | None = None
    evaluation: Evaluation | None = None
    generates: bool = True


def train(
    recipe: Recipe,
    run_dir: Path | None = None,
    data_dir: Path | None = None,
    progress: Any = None,
    moved: bool = False,
) -> Outcome:
    """Trains a recipe in a run folder until `train.steps`, and evaluates it. If the run exists, continues it.

    Prepares the data if needed. Stops with a checkpoint on SIGINT or SIGTERM.

    Args:
        recipe: A checked recipe.
        run_dir: The run folder. Default: `runs/RECIPE`.
        data_dir: Folder of prepared data.
        progress: Function (done, total, what), called while data is prepared and during the evaluation at the end.
        moved: Whether the recipe of an existing run may give other paths of the data than before.

    Raises:
        Kt2tError: The recipe, data, run folder or devices do not allow training, or the loss or weights are not finite.
    """
    team = _team(recipe)
    folder = RunFolder(run_dir or Path("runs") / run_name(recipe), writes=team.first)
    with team.together(), folder.locked(), _logged_to(folder):
        source = None if folder.has_checkpoints else start_checkpoint(recipe)
        begun, given = folder.exists, recipe
        if begun:
            folder.begin(given, given, moved)  # raises, before any work, if the recipe is another one
            recipe = _same_problem(folder, given)
        if recipe.train.deterministic:
            _make_deterministic()
        problem = assembling.problem_of(recipe)
        check_fit(recipe, problem, data_dir)
        team.in_turn(lambda: problem.prepare(data_dir, progress))
        counted = with_steps(given, problem)
        recipe = _continued(recipe, counted) if begun else counted
        team.agree(_facts(recipe, problem))
        assembly = assembling.assemble(recipe, problem)
        if recipe.report.metrics:
            with assembling.located(recipe):
                try_metrics(assembly.model, problem.sample(1), recipe.report.metrics)
        if source is not None:
            start(assembly, source)  # before the run folder is filled, so that an error here leaves no run
        if begun:
            assembling.check_vocabularies(problem, folder.vocabularies)
        if folder.writes:
            _begin(folder, given, assembly, begun)
        if source is not None and folder.writes:
            _save_start(folder, assembly, source)
        step = team.in_turn(lambda: _restored(folder, assembly))
        team.agree({"checkpoint": step})
        outcome = _trained(folder, assembly, step, team, progress if team.first else None)
        outcome.generates = hasattr(assembly.model, "answer")
        team.part()
        return outcome


def _begin(folder: RunFolder, given: Recipe, assembly: assembling.Assembly, begun: bool) -> None:
    if begun:
        whole_file(folder.recipe_file, assembly.full.to_yaml())  # with the present steps and report
        folder.update(given=given.nodes)  # the next start is compared with this recipe
    else:
        assembling.save_vocabularies(assembly.problem, folder.vocabularies)
        folder.begin(given, assembly.full)


def _trained(folder: RunFolder, assembly: assembling.Assembly, step: int, team: Any, progress: Any) -> Outcome:
    from kt2t.training.averages import weights_averaged

    steps = assembly.recipe.train.steps
    early = early_stopping(folder, assembly.recipe) if team.first else None
    over = why(folder, assembly.recipe, early)
    if team.broadcast((step >= steps or over is not None) and folder.manifest().get("evaluated") == step):
        length = "train.steps" if assembly.recipe.train.epochs is None else "train.epochs"
        because, larger = (f", because {over}", f"report.patience or {length}") if over else ("", length)
        logger.info("this run is finished: %d of %d steps%s. Give a larger %s to go on.", step, steps, because, larger)
        return Outcome(folder.path, step)
    stopped = fit(folder, assembly, step, early, team)
    step = step_of(assembly.model)
    folder.update(step=step)
    if stopped:
        return Outcome(folder.path, step, signal=stopped)
    if team.first and (over := note_end(folder, assembly.recipe, step, early)):
        logger.info("training ends at step %d of %d: %s", step, steps, over)
    with weights_averaged(assembly.model):
        evaluation = evaluate_model(assembly, "validation", step, assembly.recipe.report.samples, progress)
    if folder.writes:
        evaluation.write(folder.path)
    folder.update(evaluated=step)
    return Outcome(folder.path, step, evaluation=evaluation)


def _same_problem(folder: RunFolder, given: Recipe) -> Recipe:
    """Returns the run's own full recipe, with the paths of the data from the recipe that was given now."""
    recipe = folder.recipe()
    for option, value in given.nodes["problem"].items():
        if is_location(("problem", option)):
            recipe.nodes["problem"][option] = value
    recipe.overrides = given.overrides
    return recipe


def _continued(recipe: Recipe, given: Recipe) -> Recipe:
    """Returns the run's own full recipe, updated by `given`: the options that may change, and those that follow
    `train.steps`.
    """
    if places := following(recipe.nodes, given.nodes):
        for place in places:
            _put(recipe.nodes, place, given.train.steps)
        names = ", ".join(".".join(map(str, place)) for place in places)
        verb = "follows" if len(places) == 1 else "follow"
        logger.warning("%s %s train.steps: %s from here on", names, verb, f"{given.train.steps:,}")
    recipe.nodes["train"] = {**recipe.nodes["train"], **{name: getattr(given.train, name) for name in CHANGEABLE}}
    recipe.nodes["report"] = given.nodes["report"]
    return recipe


def _put(nodes: Any, place: Place, value: Any) -> None:
    for part in place[:-1]:
        nodes = nodes[part]
    nodes[place[-1]] = value


def _restored(folder: RunFolder, assembly: assembling.Assembly) -> int:
    from kt2t.training import checkpoints

    newest = newest_checkpoint(folder)
    if newest is None:
        if checkpoints.saved(folder.checkpoints):
            raise RunError(f"no checkpoint in {str(folder.checkpoints)!r} can be read. Train anew with --run-dir.")
        return 0
    folder.check_checkpoint(checkpoints.restore(newest, assembly.model), assembly.full)
    logger.info("continuing from %s", newest)
    return step_of(assembly.model)


def _save_start(folder: RunFolder, assembly: assembling.Assembly, source: Path) -> None:
    """Saves the copied weights as the checkpoint of step 0, so that the run never needs the other run again."""
    from kt2t.training import checkpoints

    checkpoints.save(folder.checkpoints, assembly.model, 0, assembly.full.nodes, {"start_from": str(source)})


def _team(recipe: Recipe) -> Any:
    from kt2t.training.workers.team import Team

    if recipe.train.strategy == "multi_worker":
        end_with_launcher()
    with assembling.located(recipe):
        return Team(recipe.train.strategy)


def _facts(recipe: Recipe, problem: Any) -> dict[str, Any]:
    """Returns the facts that must be the same in all workers, by their names in error messages."""
    nodes = {section: node for section, node in recipe.nodes.items() if section != "report"}
    return {"recipe": nodes, "data": problem.prepared.manifest["splits"], "versions": versions()}


def _make_deterministic() -> None:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def _logged_to(folder: RunFolder) -> Iterator[None]:
    if not folder.writes:
        yield
        return
    with writing(folder.log):
        handler = logging.FileHandler(folder.log, encoding="utf-8")
    handler.setFormatter(LogFormatter())
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()
        if not folder.exists and folder.log.stat().st_size == 0:  # an error came before any message
            folder.log.unlink()
