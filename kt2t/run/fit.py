"""Trains a run with its callbacks; a Keras epoch is the `report.every` steps up to an evaluation."""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
from collections.abc import Iterator
from typing import Any

from kt2t.callbacks.pace import step_of
from kt2t.run.assemble import Assembly
from kt2t.run.folder import RunFolder
from kt2t.run.log import SHOWN
from kt2t.run.signals import handled_by, repeats
from kt2t.training.manifest import read_manifest

logger = logging.getLogger("kt2t")


def fit(folder: RunFolder, assembly: Assembly, step: int, early: Any, team: Any) -> int | None:
    """Trains the assembly's model from `step` to `train.steps`, or until a signal or a callback stops it.

    Args:
        folder: The run folder, which receives checkpoints and event files.
        assembly: The run's model, problem and recipe.
        step: The optimizer's step at the start, 0 for a new run.
        early: The `EarlyStopping` callback, or None.
        team: The `Team` of the run's worker processes.

    Returns:
        The number of the signal that stopped training, or None.
    """
    from kt2t.callbacks.explosions import Explosions
    from kt2t.training.averages import fit_keeps_weights

    recipe, problem, model = assembly.recipe, assembly.problem, assembly.model
    size: dict[str, Any] = dict(recipe.train.batch)
    batches = problem.batches("train", **size, seed=recipe.train.seed)
    explosions = Explosions(recipe.train.on_explosion, folder.checkpoints, _kept(folder, step))
    callbacks = _callbacks(folder, assembly, step, early, team, batches, explosions)
    validation = problem.batches("validation", **recipe.train.unpacked)
    every, last = recipe.report.every, recipe.train.steps
    with _stopping(model), fit_keeps_weights(model):
        if 0 < step <= last and (step % every == 0 or step == last):
            _catch_up(folder, assembly, callbacks, validation, step)
        while step < last and not _ended(model, early, team):
            count = min(every - step % every, last - step)
            epochs = (last - step) // every if count == every else 1
            try:
                with _never_beyond(model, step):
                    model.fit(
                        batches.at(step),
                        steps_per_epoch=count,
                        initial_epoch=step // every,
                        epochs=step // every + epochs,
                        validation_data=validation,
                        callbacks=callbacks,
                        verbose=0,
                    )
            except Exception as error:
                _rescue(callbacks, error)
                raise
            after = step_of(model)
            if after == step:
                break
            step = after
        model.agree_on_stop()
    return model.stop_signal


@contextlib.contextmanager
def _never_beyond(model: Any, step: int) -> Iterator[None]:
    """Runs one step per call inside the `with` block if `step` is not a multiple of `steps_per_call`.

    Otherwise a call would run steps beyond the epoch's end. This happens when a run continues with another
    `steps_per_call`.
    """
    steps_per_call = model.steps_per_execution
    if step % steps_per_call == 0:
        yield
        return
    model.steps_per_execution, model.train_function, model.test_function = 1, None, None
    try:
        yield
    finally:
        model.steps_per_execution, model.train_function, model.test_function = steps_per_call, None, None


def _kept(folder: RunFolder, step: int) -> dict[str, Any] | None:
    """Returns the state of the `Explosions` callback that the checkpoint of `step` holds; None without a checkpoint."""
    path = folder.checkpoints / f"step-{step}"
    return read_manifest(path).extra.get("explosions") if path.is_dir() else None


def _rescue(callbacks: list[Any], error: Exception) -> None:
    """Saves the trained weights after an error in an evaluation, which comes after the training steps of an epoch."""
    from kt2t.callbacks import Checkpointing, EvaluatingAverages

    for callback in callbacks:
        if isinstance(callback, EvaluatingAverages):  # before `Checkpointing` saves
            callback.put_back()
        if isinstance(callback, Checkpointing):
            callback.rescue(error)


def _ended(model: Any, early: Any, team: Any) -> bool:
    model.agree_on_stop()
    return model.stop_signal is not None or team.broadcast(early is not None and early.is_over())


def _catch_up(folder: RunFolder, assembly: Assembly, callbacks: list[Any], validation: Any, step: int) -> None:
    """Repeats the work at the end of an epoch that a kill may have prevented: its evaluation, and the choice of the
    best step.
    """
    import keras

    from kt2t.callbacks import Checkpointing, TensorBoard
    from kt2t.callbacks.logs import validation as validated
    from kt2t.training.averages import weights_averaged

    logs = dict(read_manifest(folder.checkpoints / f"step-{step}").extra.get("metrics", {}))
    evaluated = bool(validated(logs))
    if evaluated:
        callbacks = [callback for callback in callbacks if isinstance(callback, (Checkpointing, TensorBoard))]
    together = keras.callbacks.CallbackList(callbacks, model=assembly.model, verbose=0)
    together.on_train_begin()
    if not evaluated:
        with weights_averaged(assembly.model):
            found = assembly.model.evaluate(validation, verbose=0, return_dict=True)
        logs.update({f"val_{name}": float(value) for name, value in found.items()})
        together.on_epoch_end(step // assembly.recipe.report.every - 1, logs)
    else:
        for callback in callbacks:
            if isinstance(callback, TensorBoard):
                callback.write_epoch(step, logs)  # writes the same points again, if they exist already
            else:
                callback.on_epoch_end(step // assembly.recipe.report.every - 1, logs)
    together.on_train_end()


def _callbacks(
    folder: RunFolder, assembly: Assembly, step: int, early: Any, team: Any, batches: Any, explosions: Any
) -> list[Any]:
    from kt2t import callbacks
    from kt2t.training.clipping import innermost

    recipe, problem, report = assembly.recipe, assembly.problem, assembly.recipe.report
    found: list[Any] = [
        callbacks.BadBatches(folder.bad_batches, batches, folder.checkpoints, writes=folder.writes),
        explosions,
        callbacks.ComparingReplicas(team),
    ]
    if innermost(assembly.model.optimizer).use_ema:
        found.append(callbacks.EvaluatingAverages())
    scored: dict[str, int] = {}
    if report.score and (problem.scores() or problem.derived_metric_names):
        scoring = callbacks.Scoring(problem, assembly.search, limit=report.score_limit, **recipe.train.shapes)
        scored = scoring.examples
        found.append(scoring)
    found.append(
        callbacks.Checkpointing(
            folder.checkpoints,
            keep=max(report.keep, recipe.train.average),
            best=report.best,
            recipe=assembly.full.nodes,
            writes=folder.writes,
            extra=lambda: {"explosions": explosions.state},
        )
    )
    found += [] if early is None else [early]
    if team.count > 1:
        found.append(callbacks.FollowingTheFirst(team))
    if not team.first:
        return found
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
        keep = functools.partial(logger.info, extra=SHOWN)
        validated = len(problem.prepared.records("validation"))
        found.append(callbacks.Progress(recipe.train.steps, step, keep=keep, validated=validated, scored=scored))
    return found


@contextlib.contextmanager
def _stopping(model: Any) -> Iterator[None]:
    """Makes SIGINT and SIGTERM stop training after the current step, with a checkpoint, inside the `with` block.

    See `Repeats` for what further signals do.
    """
    asked: list[int] = []

    def stop(number: int, frame: Any) -> None:
        if repeats.ignores(number):
            return
        asked.append(number)
        model.ask_to_stop(number)

    with handled_by(stop):
        yield
    if asked and model.stop_signal is None:  # too late for the workers to agree on it
        repeats.forget()
        signal.raise_signal(asked[0])
