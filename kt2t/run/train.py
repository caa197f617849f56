"""Trains a recipe in a run folder, or continues it; evaluates it at the end."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt2t.disk import whole_file, writing
from kt2t.errors import RunError
from kt2t.recipe import Recipe
from kt2t.recipe_file import run_name
from kt2t.run import assemble as assembling
from kt2t.run.evaluate import Evaluation, evaluate_model
from kt2t.run.folder import RunFolder

logger = logging.getLogger("kt2t")


@dataclass
class Outcome:
    """How a training ended. `signal` is the one that stopped it, None when all steps are done."""

    folder: Path
    step: int
    signal: int | None = None
    evaluation: Evaluation | None = None


def train(
    recipe: Recipe, run_dir: Path | None = None, data_dir: Path | None = None, progress: Any = None
) -> Outcome:
    """Trains until `train.steps`; run again, it goes on where it stopped.

    Args:
        recipe: Checked.
        run_dir: In place of `runs/<recipe>`.
        data_dir: Where prepared problems live.
        progress: Told of the preparation, as `Problem.prepare` says.

    Raises:
        Kt2tError: Whatever stands in the way, with its exit status.
    """
    folder = RunFolder(run_dir or Path("runs") / run_name(recipe))
    with folder.locked(), _logged_to(folder):
        if folder.exists:
            folder.begin(recipe, recipe)  # the same recipe, or an error before any work
            recipe = _continued(folder, recipe)
        if recipe.train.deterministic:
            _make_deterministic()
        problem = assembling.problem_of(recipe)
        problem.prepare(data_dir, progress)
        assembly = assembling.assemble(recipe, problem)
        if folder.exists:
            assembling.check_vocabularies(problem, folder.vocabularies)
            whole_file(folder.recipe_file, assembly.full.to_yaml())  # with the steps and the report of now
        else:
            assembling.save_vocabularies(problem, folder.vocabularies)
            folder.begin(recipe, assembly.full)
        return _trained(folder, assembly, _restored(folder, assembly))


def _trained(folder: RunFolder, assembly: assembling.Assembly, step: int) -> Outcome:
    steps = assembly.recipe.train.steps
    if step >= steps and folder.manifest().get("evaluated") == step:
        logger.info("this run is finished: %d of %d steps. Give a larger train.steps to go on.", step, steps)
        return Outcome(folder.path, step)
    stopped = _fit(folder, assembly, step)
    step = int(assembly.model.optimizer.iterations)
    folder.update(step=step)
    if stopped:
        return Outcome(folder.path, step, signal=stopped)
    evaluation = evaluate_model(assembly, "validation", step, samples=assembly.recipe.report.samples)
    evaluation.write(folder.path)
    folder.update(evaluated=step)
    return Outcome(folder.path, step, evaluation=evaluation)


def _continued(folder: RunFolder, given: Recipe) -> Recipe:
    """The run's own full recipe, with the steps and the report that are given now."""
    recipe = folder.recipe()
    recipe.nodes["train"] = {**recipe.nodes["train"], "steps": given.train.steps}
    recipe.nodes["report"] = given.nodes["report"]
    recipe.overrides = given.overrides
    return recipe


def _restored(folder: RunFolder, assembly: assembling.Assembly) -> int:
    from kt2t.training import checkpoints

    newest = checkpoints.newest(folder.checkpoints)
    if newest is None:
        if checkpoints.saved(folder.checkpoints):
            raise RunError(f"no checkpoint in {str(folder.checkpoints)!r} can be read. Train anew with --run-dir.")
        return 0
    checkpoints.restore(newest, assembly.model)
    step = int(assembly.model.optimizer.iterations)
    logger.info("continuing from %s", newest)
    return step


def _fit(folder: RunFolder, assembly: assembling.Assembly, step: int) -> int | None:
    """Trains to the end, one Keras epoch from one multiple of `report.every` to the next; the signal that stopped it."""
    recipe, problem, model = assembly.recipe, assembly.problem, assembly.model
    callbacks, checkpointing = _callbacks(folder, assembly, step)
    size: dict[str, Any] = dict(recipe.train.batch)
    validation = problem.batches("validation", **size)
    every, last = recipe.report.every, recipe.train.steps
    with _stopping(checkpointing) as stopped:
        if 0 < step <= last and step % every == 0:
            _catch_up(folder, assembly, callbacks, validation, step)
        while step < last and not stopped:
            count = min(every - step % every, last - step)
            epochs = (last - step) // every if count == every else 1
            batches = problem.batches("train", **size, seed=recipe.train.seed, start=step)
            model.fit(
                batches,
                steps_per_epoch=count,
                initial_epoch=step // every,
                epochs=step // every + epochs,
                validation_data=validation,
                callbacks=callbacks,
                verbose=0,
            )
            after = int(model.optimizer.iterations)
            if after == step or model.stop_training and not stopped:
                break
            step = after
    return stopped[0] if stopped else None


def _catch_up(folder: RunFolder, assembly: assembling.Assembly, callbacks: list[Any], validation: Any, step: int) -> None:
    """Does what a kill may have cut off at the end of an epoch: its evaluation, and the choice of the best step."""
    import keras

    from kt2t.callbacks.logs import validation as validated
    from kt2t.training import checkpoints

    logs = dict(checkpoints.verify(folder.checkpoints / f"step-{step}").extra.get("metrics", {}))
    if validated(logs):
        callbacks = [callback for callback in callbacks if type(callback).__name__ == "Checkpointing"]
    else:
        found = assembly.model.evaluate(validation, verbose=0, return_dict=True)
        logs.update({f"val_{name}": float(value) for name, value in found.items()})
    together = keras.callbacks.CallbackList(callbacks, model=assembly.model)
    together.on_train_begin()
    together.on_epoch_end(step // assembly.recipe.report.every - 1, logs)


def _make_deterministic() -> None:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _callbacks(folder: RunFolder, assembly: assembling.Assembly, step: int) -> tuple[list[Any], Any]:
    from kt2t import callbacks

    recipe, problem, report = assembly.recipe, assembly.problem, assembly.recipe.report
    found: list[Any] = []
    if report.score and problem.scores():
        found.append(callbacks.Scoring(problem, assembly.search, limit=report.score_limit))
    checkpointing = callbacks.Checkpointing(
        folder.checkpoints, keep=max(report.keep, recipe.train.average), best=report.best, recipe=assembly.full.nodes
    )
    found.append(checkpointing)
    found.append(
        callbacks.TensorBoard(
            folder.tensorboard,
            problem,
            recipe_text=assembly.full.to_yaml(),
            decode=assembly.search,
            attention_maps=report.attention_maps,
            samples=report.samples,
        )
    )
    if step < recipe.train.steps:
        found.append(callbacks.Progress(recipe.train.steps, step))
    return found, checkpointing


@contextlib.contextmanager
def _stopping(checkpointing: Any) -> Iterator[list[int]]:
    """SIGINT and SIGTERM end the training after the running step, with a checkpoint; the second one ends it at once."""
    stopped: list[int] = []

    def stop(number: int, frame: Any) -> None:
        stopped.append(number)
        checkpointing.request_stop()
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(number, stop)
        yield stopped
    finally:
        for number, handler in before.items():
            with contextlib.suppress(ValueError):
                signal.signal(number, handler)


@contextlib.contextmanager
def _logged_to(folder: RunFolder) -> Iterator[None]:
    with writing(folder.log):
        handler = logging.FileHandler(folder.log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
