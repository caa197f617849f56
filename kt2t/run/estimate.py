"""Estimates the costs of training a recipe: parameters of the model's parts, memory, and work and time of a step."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.recipe import Recipe
from kt2t.run.assemble import build_model, problem_of
from kt2t.run.epochs import with_steps

# Share of the rate of large matrix products that a whole training step reaches (of several toolkits on 2 cores: 0.5 to 0.6).
EFFICIENCY = 0.55
POSITIONS = 64  # of a sequence of unknown length


@dataclass
class Estimate:
    """The estimated costs of training a recipe.

    Attributes:
        parameters: Number of trained parameters of each part of the model, by attribute path.
        total: Number of trained parameters of the model.
        memory_bytes: Memory of a step, in bytes.
        step_flop: Floating-point operations of a step.
        step_seconds: Seconds of a step on this machine.
        assumed_vocabulary: Whether the data is not prepared, so that the vocabularies are assumed to have the requested
            sizes.
        steps: `train.steps`; None for a recipe with `train.epochs` whose data is not prepared, since its batches cannot
            be counted.
    """

    parameters: dict[str, int]
    total: int
    memory_bytes: int
    step_flop: float
    step_seconds: float
    assumed_vocabulary: bool
    steps: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the costs as a dict of plain values, ready for JSON."""
        return asdict(self)


def estimate(recipe: Recipe, data_dir: Path | None = None) -> Estimate:
    """Estimates the costs of training a recipe: builds its model and counts the operations in the graph of one step.

    Nothing is trained and no data is prepared. Memory is the sum of weights, gradients and two optimizer slots in
    float32, and the tensors of a micro-batch that the forward pass keeps for the backward pass. The work is the matrix
    products and convolutions of both passes. The time is this work divided by 0.55 of the rate of large matrix
    products, which is measured on this machine.

    Args:
        recipe: A checked recipe.
        data_dir: Folder of prepared data. If the recipe's problem is prepared there, its actual vocabulary sizes are
            used.
    """
    from kt2t.training.precision import precision

    problem = problem_of(recipe)
    prepared = problem.find_prepared(data_dir)
    assumed = not prepared and not all(v.trained for v in problem.vocabularies().values())
    policy = precision(recipe.train.dtype)
    features = problem.expected_features() if assumed else problem.features()
    model = build_model(recipe, features)
    sizes = _sizes(model)
    total = sum(sizes.values())
    parts = recipe.train.micro_batches
    flop, kept = step_costs(model, problem.loss(), *shapes(features, recipe.train.batch, parts))
    frozen = sum(math.prod(weight.shape) for weight in model.weights) - total
    sums = 4 * total if parts > 1 else 0  # memory for the summed gradients of the micro-batches
    return Estimate(
        parameters=by_part(sizes),
        total=total,
        memory_bytes=16 * total + 4 * frozen + sums + kept,
        step_flop=flop * parts,
        step_seconds=flop * parts / (EFFICIENCY * product_rate(policy)),
        assumed_vocabulary=assumed,
        steps=with_steps(recipe, problem).train.steps if prepared or recipe.train.epochs is None else None,
    )


def shapes(features: Mapping[str, Any], batch: Mapping[str, Any], micro_batches: int = 1) -> tuple[Any, Any]:
    """Returns the (shape, dtype) of each feature and of the targets of a micro-batch, in the structure of a batch.

    A sequence has as many positions as `pack` says, else the smaller of 64 and `max_length`.

    Args:
        features: The problem's features by field.
        batch: The recipe's `train.batch`: `rows` or `tokens`, and perhaps `pack` or `max_length`.
        micro_batches: Number of parts that the rows of a batch are split into.

    Returns:
        A dict from field to (shape, dtype), with segments (`inputs_segments`…), and the same for the targets: one pair,
        or a dict by target.
    """
    limit = batch.get("max_length")
    positions = batch.get("pack") or (min(POSITIONS, limit) if isinstance(limit, int) else POSITIONS)
    rows = batch.get("rows") or batch["tokens"] // positions
    rows = max(1, -(-rows // micro_batches))

    def shape(feature: Any) -> tuple[tuple[int, ...], str]:
        length = positions * feature.values_per_position
        return (rows, *(length if size is None else size for size in feature.shape)), feature.dtype

    read: dict[str, Any] = {}
    for name, feature in features.items():
        if name != "targets" or getattr(feature, "is_fed_back", False):
            read[name] = shape(feature)
            if feature.has_segments:
                read[f"{name}_segments"] = (read[name][0][:2], "int32")
    targets = features["targets"]
    if isinstance(targets, Mapping):
        return read, {key: shape(feature) for key, feature in targets.items()}
    return read, shape(targets)


def step_costs(model: Any, loss: Any, read: Any, targets: Any) -> tuple[float, int]:
    """Counts the operations of one forward and backward pass, and the bytes kept between the two. Runs nothing.

    Args:
        model: A built model.
        loss: The loss, as `compile` takes it.
        read: (shape, dtype) of each feature that the model reads, by field.
        targets: (shape, dtype) of the targets: one pair, or a dict by target.

    Returns:
        The number of floating-point operations, and the number of bytes.
    """
    import keras

    from kt2t.ops import randomness
    from kt2t.training.objective import Objective, share

    objective = Objective(loss)

    def value(features: Any, y: Any, y_pred: Any) -> Any:
        return share(objective.sums(y, y_pred), objective.coefficients)

    if keras.backend.backend() == "jax":
        import jax

        from kt2t.run import jaxpr_costs

        def of_weights(weights: list[Any], features: Any, y: Any) -> Any:
            fixed = [variable.value for variable in model.non_trainable_variables]
            with randomness.root(0, 0):
                y_pred, _ = model.stateless_call(weights, fixed, features, training=True)
            return value(features, y, y_pred)

        weights = [jax.ShapeDtypeStruct(tuple(one.shape), one.dtype) for one in model.trainable_variables]
        return jaxpr_costs.costs(of_weights, weights, _each(jax.ShapeDtypeStruct, (read, targets)))
    import tensorflow as tf

    from kt2t.run import graph_costs

    def loss_of(features: Any, y: Any) -> Any:
        with randomness.root(0, tf.zeros((), "int32")):
            y_pred = model(features, training=True)
        return value(features, y, y_pred)

    variables = [variable.value for variable in model.trainable_variables]
    return graph_costs.costs(loss_of, variables, _each(tf.TensorSpec, (read, targets)))


def _each(kind: Any, structure: Any) -> Any:
    """Replaces each (shape, dtype) pair in nested dicts by `kind(shape, dtype)`, such as a `tf.TensorSpec`."""
    if isinstance(structure, Mapping):
        return {name: _each(kind, one) for name, one in structure.items()}
    if isinstance(structure[-1], str):
        return kind(*structure)
    return tuple(_each(kind, one) for one in structure)


def by_part(sizes: Mapping[str, int]) -> dict[str, int]:
    """Sums numbers of parameters by part of the model: by the first two names of an attribute path (`encoder.layers`).

    Args:
        sizes: Number of parameters of each weight, by attribute path (`encoder.layers.0.norm.scale`). Numbers in a path
            are ignored. A path of one or two names counts under its first name.
    """
    found: dict[str, int] = {}
    for path, size in sizes.items():
        words = [word for word in path.split(".") if not word.isdigit()]
        part = ".".join(words[:2]) if len(words) > 2 else words[0]
        found[part] = found.get(part, 0) + size
    return found


def product_rate(policy: str, size: int = 1024, seconds: float = 0.3) -> float:
    """Measures the floating-point operations per second of square matrix products on this machine.

    Args:
        policy: Keras dtype policy, whose compute dtype is used.
        size: Rows and columns of the matrices.
        seconds: Minimum duration of the measurement. The fastest product counts.
    """
    import keras

    dtype = "bfloat16" if "bfloat16" in policy else "float16" if "float16" in policy else "float32"
    left = keras.ops.convert_to_tensor(np.ones((size, size), "float32"), dtype=dtype)
    rates: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(rates) < 3:
        begin = time.perf_counter()
        keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.matmul(left, left)[:1], "float32"))  # waits for the product
        rates.append(2.0 * size**3 / (time.perf_counter() - begin))
    return max(rates)


def _sizes(model: Any) -> dict[str, int]:
    """Returns the number of parameters of each trained weight, by attribute path."""
    from kt2t.ops.paths import attribute_paths

    trainable = {id(variable) for variable in model.trainable_variables}
    return {path: math.prod(v.shape) for path, v in attribute_paths(model).items() if id(v) in trainable}
