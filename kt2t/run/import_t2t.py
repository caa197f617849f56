"""Converts a Tensor2Tensor checkpoint, with its hparams and vocabulary, to a run."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.disk import whole_folder
from kt2t.errors import DataError, RunError, listed
from kt2t.features import Text
from kt2t.recipe import Recipe
from kt2t.recipe_file import recipe_of
from kt2t.run import assemble as assembling
from kt2t.run.folder import RunFolder
from kt2t.tensor2tensor import checkpoint as upstream
from kt2t.tensor2tensor import hparams, problems, supported
from kt2t.tensor2tensor.variables import name_of

logger = logging.getLogger("kt2t")
VOCABULARIES = {"vocabulary": "inputs", "source_vocabulary": "inputs", "target_vocabulary": "targets"}


def import_run(
    checkpoint: Path,
    hparams_file: Path,
    vocabularies: Sequence[Path],
    problem: str,
    run_dir: Path,
    overrides: Sequence[str] = (),
) -> int:
    """Converts a Tensor2Tensor checkpoint to a run, on which `predict`, `evaluate` and `train` work.

    The run is written whole or not at all.

    Args:
        checkpoint: A checkpoint, or a folder of checkpoints, whose newest is imported.
        hparams_file: The `hparams.json` beside the checkpoint.
        vocabularies: One `.subwords` file for both sides, or the source's and the target's.
        problem: Tensor2Tensor's name of the problem, such as `translate_ende_wmt32k`.
        run_dir: Folder of the new run; it must not exist, or be empty.
        overrides: `KEY=VALUE` for the run's recipe, such as `problem.train_files=pairs.tsv`.

    Returns:
        The step of the checkpoint.

    Raises:
        Kt2tError: A file is missing or damaged, does not fit the others, or uses a feature that kt2t does not have.
            Nothing is written then.
    """
    _require_new(run_dir)
    recipe = _recipe(
        supported.read(hparams_file), problems.problem(problem, [str(file) for file in vocabularies]), overrides
    )
    ours = assembling.problem_of(recipe)
    found = upstream.read(checkpoint, _source_size(ours.features()))
    _check_vocabularies(ours, found)
    _choose_target_space(recipe, found)
    ours = assembling.problem_of(recipe)  # again: its target space may be known now
    assembly = assembling.assemble(recipe, ours)
    _assign(assembly.model, found)
    with_own = _with_own_vocabularies(assembly.full, run_dir.absolute())
    whole_folder(run_dir, lambda aside: _write(RunFolder(aside), assembly, with_own, found.step))
    return found.step


def _require_new(run_dir: Path) -> None:
    if run_dir.exists() and not (run_dir.is_dir() and not any(run_dir.iterdir())):
        further = f"To give the run there its texts: kt2t train {run_dir} problem.train_files=FILES. "
        hint = further if RunFolder(run_dir).exists else ""
        raise RunError(f"{str(run_dir)!r} exists and is not empty. {hint}Choose another folder with --run-dir.")


def _recipe(options: Mapping[str, Any], problem: dict[str, Any], overrides: Sequence[str]) -> Recipe:
    problem |= {"loss": hparams.loss(options), "max_length": hparams.max_length(options)}
    nodes = {
        "problem": problem,
        "model": hparams.model(options),
        "optimizer": hparams.optimizer(options),
        "train": hparams.train(options),
        "report": hparams.report(),
    }
    recipe = recipe_of(nodes, overrides)
    recipe.check()
    return recipe


def _source_size(features: Mapping[str, Any]) -> int | None:
    """Returns the number of rows of the inputs' own embedding table; None if both sides share one table.

    Raises:
        DataError: Two vocabularies have the same size. Tensor2Tensor then uses one table for both, ours does not.
    """
    source, target = features["inputs"], features["targets"]
    if source == target:
        return None
    if source.vocabulary_size == target.vocabulary_size:
        raise DataError(
            f"both vocabularies have {source.vocabulary_size} entries, and Tensor2Tensor then uses one table for both. "
            "kt2t cannot import this: it has no two vocabularies over one table."
        )
    return int(source.vocabulary_size)


def _check_vocabularies(problem: Any, found: upstream.Checkpoint) -> None:
    tables = {"inputs": ("inputs_embedding.table",), "targets": ("targets_embedding.table", "head.table")}
    for field, paths in tables.items():
        feature = problem.features()[field]
        for path in paths:
            rows = len(found.weights[path]) if path in found.weights else None
            if isinstance(feature, Text) and rows not in (None, feature.vocabulary_size):
                raise DataError(
                    f"the vocabulary of the {field} has {feature.vocabulary_size} entries, and the table in "
                    f"{str(found.path)!r} has {rows} rows. Give the vocabulary that the model was trained with."
                )


def _choose_target_space(recipe: Recipe, found: upstream.Checkpoint) -> None:
    """Sets `problem.target_space` to the id that the checkpoint was trained with, if its model has target spaces."""
    node = recipe.nodes["problem"]
    if "target_space_embedding.table" not in found.weights or node.get("target_space") is not None:
        return
    node["target_space"] = 0 if found.target_space is None else found.target_space
    if found.target_space is None:
        logger.warning(
            "%s does not show which target space it was trained for. kt2t uses 0, as the newer Tensor2Tensor does. "
            "Set problem.target_space=N for another one.",
            found.path,
        )


def _assign(model: Any, found: upstream.Checkpoint) -> None:
    """Assigns a checkpoint's weights to a model, and its state and step to the model's optimizer.

    Raises:
        RunError: The weights differ. The message names those that are missing, unknown or of another shape.
    """
    from kt2t.ops.paths import attribute_paths
    from kt2t.training.checkpoints import assign
    from kt2t.training.slots import slots

    weights = attribute_paths(model)
    state = slots(model.optimizer, weights)
    _check_fit(weights, found.weights, found.path)
    for path, value in found.weights.items():
        assign(weights[path], value)
    is_adam = f"momentums/{next(iter(weights))}" in state and f"velocities/{next(iter(weights))}" in state
    if is_adam and (found.momentums or found.velocities):
        for slot, values in {"momentums": found.momentums, "velocities": found.velocities}.items():
            _check_fit(weights, values, found.path, f" (of Adam's {slot})")
            for path, value in values.items():
                assign(state[f"{slot}/{path}"], value)
    else:
        logger.warning("the optimizer's state is not imported: it starts anew, at step %d.", found.step)
    assign(model.optimizer.iterations, np.asarray(found.step))


def _check_fit(weights: Mapping[str, Any], values: Mapping[str, np.ndarray], place: Path, what: str = "") -> None:
    wrong = [f"{name_of(path)}{what} is missing" for path in weights if path not in values]
    wrong += [f"{name_of(path)}{what} is not in the model of the hparams" for path in values if path not in weights]
    for path, weight in weights.items():
        if path in values and tuple(weight.shape) != values[path].shape:
            shapes = f"{list(values[path].shape)}, in the model of the hparams {list(weight.shape)}"
            wrong.append(f"{name_of(path)}{what} has shape {shapes}")
    if wrong:
        raise RunError(f"{str(place)!r} does not fit its hparams: {listed(wrong, ', ')}.")


def _with_own_vocabularies(full: Recipe, run_dir: Path) -> Recipe:
    """Makes the recipe's vocabulary paths point into the run, so that the run needs no other files."""
    from kt2t.data.vocabularies.subword_text_encoder import FILE

    nodes = copy.deepcopy(full.nodes)
    for option, field in VOCABULARIES.items():
        vocabulary = nodes["problem"].get(option)
        if vocabulary and vocabulary.get("path"):
            vocabulary["path"] = str(RunFolder(run_dir).vocabularies / field / FILE)
    found = Recipe(**nodes)
    found.name = run_dir.name
    return found


def _write(folder: RunFolder, assembly: assembling.Assembly, recipe: Recipe, step: int) -> None:
    from kt2t.training import checkpoints

    assembling.save_vocabularies(assembly.problem, folder.vocabularies)
    checkpoints.save(folder.checkpoints, assembly.model, step, recipe=recipe.nodes)
    folder.begin(recipe, recipe)
    folder.update(step=step)
