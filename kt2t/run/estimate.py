"""What a recipe will cost, before it is trained: parameters of each part, memory, work and time of a step."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.recipe import Recipe
from kt2t.run.assemble import build_model, problem_of

# Share of the rate of large matrix products that a whole training step reaches (of several toolkits on 2 cores: 0.5 to 0.6).
EFFICIENCY = 0.55


@dataclass
class Estimate:
    """Costs of a recipe. `assumed_vocabulary` tells that sizes are as requested, because nothing is prepared yet."""

    parameters: dict[str, int]
    total: int
    memory_bytes: int
    step_flop: float
    step_seconds: float
    assumed_vocabulary: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def estimate(recipe: Recipe, data_dir: Path | None = None) -> Estimate:
    """Builds the model of a recipe and counts; nothing is trained or prepared.

    Memory is weights, gradients and two slots of the optimizer in float32, plus what the forward pass keeps for each
    token of a micro-batch. A step is 6 operations for each weight of a matrix and token, 8 with recomputation, at the rate
    measured on this machine.

    Args:
        recipe: Checked.
        data_dir: Where prepared problems live; a vocabulary that is there tells its size.
    """
    from kt2t.training.precision import precision

    problem = problem_of(recipe)
    assumed = not problem.find_prepared(data_dir) and not all(v.trained for v in problem.vocabularies().values())
    policy = precision(recipe.train.dtype)
    features = problem.expected_features() if assumed else problem.features()
    model = build_model(recipe, features)
    shapes = _shapes(model)
    tokens = recipe.train.batch.get("tokens") or recipe.train.batch["rows"] * 64
    total = sum(math.prod(shape) for shape in shapes.values())
    flop = step_flop(shapes, tokens)
    width = 2 if "16" in policy else 4
    recompute = bool(recipe.nodes["model"].get("recompute"))
    flop *= 4 / 3 if recompute else 1
    parts = recipe.train.micro_batches
    kept = -(-tokens // parts) * activations(shapes, recompute) * width
    sums = 4 * total if parts > 1 else 0  # of the micro-batches' gradients
    return Estimate(
        parameters=by_part({path: math.prod(shape) for path, shape in shapes.items()}),
        total=total,
        memory_bytes=16 * total + sums + kept,
        step_flop=flop,
        step_seconds=flop / (EFFICIENCY * product_rate(policy)),
        assumed_vocabulary=assumed,
    )


def by_part(sizes: Mapping[str, int]) -> dict[str, int]:
    """Parameters summed over the first two words of their attribute path."""
    found: dict[str, int] = {}
    for path, size in sizes.items():
        words = [word for word in path.split(".") if not word.isdigit()]
        part = ".".join(words[:2]) if len(words) > 2 else words[0]
        found[part] = found.get(part, 0) + size
    return found


def step_flop(shapes: Mapping[str, tuple[int, ...]], tokens: int) -> float:
    """Operations of one training step: 6 for each weight of a matrix and token (2 forward, 4 back)."""
    return 6.0 * tokens * sum(math.prod(shape) for shape in shapes.values() if len(shape) >= 2)


def activations(shapes: Mapping[str, tuple[int, ...]], recompute: bool = False) -> int:
    """Numbers that the forward pass keeps for each token: the output of each matrix, and as much again around it.

    Args:
        recompute: Whether blocks (numbered parts of a path) keep their input only; then one of them counts.
    """
    tables = [shape for path, shape in shapes.items() if "table" in path]
    looked_up = sum(min(shape[-1], math.prod(shape) // shape[-1]) for shape in tables)
    multiplied = {path: shape[-1] for path, shape in shapes.items() if len(shape) >= 2 and "table" not in path}
    blocks: dict[str, int] = {}
    for path, width in multiplied.items():
        block = re.match(r".*?\.\d+(?=\.|$)", path)
        blocks[block[0] if block else ""] = blocks.get(block[0] if block else "", 0) + width
    outside = blocks.pop("", 0)
    inside = max(blocks.values(), default=0) if recompute else sum(blocks.values())
    entering = len(blocks) * min((shape[0] for path, shape in shapes.items() if path in multiplied), default=0)
    logits = max((shape[0] for shape in tables), default=0)  # kept in float32, with their softmax
    return 2 * (looked_up + outside + inside) + (entering if recompute else 0) + 3 * logits


def product_rate(policy: str, size: int = 1024, seconds: float = 0.3) -> float:
    """Operations a second of large matrix products in the arithmetic of a dtype policy, measured now."""
    import keras

    dtype = "bfloat16" if "bfloat16" in policy else "float16" if "float16" in policy else "float32"
    left = keras.ops.convert_to_tensor(np.ones((size, size), "float32"), dtype=dtype)
    rates: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(rates) < 3:
        begin = time.perf_counter()
        keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.matmul(left, left)[:1], "float32"))  # waits for it
        rates.append(2.0 * size**3 / (time.perf_counter() - begin))
    return max(rates)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    from kt2t.ops.paths import attribute_paths

    trainable = {id(variable) for variable in model.trainable_variables}
    return {path: tuple(v.shape) for path, v in attribute_paths(model).items() if id(v) in trainable}
