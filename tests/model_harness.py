"""What every model must do: shapes, dtypes, gradients, config, saving, learning, the same tokens without a cache.

On JAX each mode of a model is one compiled function (see `harness.py`); only `build` calls it eagerly.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from harness import forward, gradients, numbers
from keras import ops

from kt2t.features import END
from kt2t.losses import CrossEntropy
from kt2t.ops.paths import attribute_paths
from kt2t.registry import build, describe

Batch = dict[str, np.ndarray]


def check_model(make: Callable[[], Any], batch: Batch, shape: tuple[int, ...], folder: Path) -> Any:
    """Checks a model without dropout on one batch and returns it, built."""
    keras.utils.set_random_seed(2)
    model = make()
    model.build()
    count = model.count_params()
    logits = numbers(forward(model, training=False)(batch))
    assert model.count_params() == count, "a call made weights that build did not"
    assert logits.shape == shape
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(numbers(forward(model, training=True)(batch)), logits)
    node = describe(model)
    assert describe(build(node)) == node
    assert json.loads(json.dumps(node)) == node
    for path, gradient in gradients(model, (batch,), {}).items():
        assert gradient is not None and np.abs(gradient).max() > 0, f"no gradient reaches {path}"
    check_saved(model, batch, logits, folder)
    check_bfloat16(make, batch, logits)
    return model


def check_saved(model: Any, batch: Batch, logits: np.ndarray, folder: Path) -> None:
    """A `.keras` file opens as the same model, without the class's help."""
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    assert type(loaded) is type(model)
    assert sorted(attribute_paths(loaded)) == sorted(attribute_paths(model))
    np.testing.assert_array_equal(numbers(forward(loaded, training=False)(batch)), logits)


def check_bfloat16(make: Callable[[], Any], batch: Batch, logits: np.ndarray) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(2)
        half = make()
        half.build()
        assert {keras.backend.standardize_dtype(weight.dtype) for weight in half.weights} == {"float32"}
        found = numbers(ops.cast(forward(half, training=False)(batch), "float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(found, logits, atol=0.08 * max(1.0, np.abs(logits).max()))


def check_learns(model: Any, batch: Batch, targets: np.ndarray, weight: np.ndarray, steps: int = 60) -> None:
    """Eight examples are learned by heart."""
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=CrossEntropy())
    every = {name: np.concatenate([value] * steps) for name, value in batch.items()}
    given = {"y": np.concatenate([targets] * steps), "sample_weight": np.concatenate([weight] * steps)}
    model.fit(every, **given, batch_size=len(targets), shuffle=False, verbose=0)
    guesses = numbers(forward(model, training=False)(batch)).argmax(-1)
    right = (guesses == targets)[weight > 0].mean()
    assert right > 0.97, f"only {right:.0%} of what was seen {steps} times is known"


def greedy_by_recomputation(model: Any, batch: Batch, length: int, prompt: np.ndarray | None = None) -> tuple[Any, Any]:
    """Greedy decoding that runs the whole model again for every position."""
    rows = len(next(iter(batch.values())))
    ids, scores, ended = np.zeros((rows, length), "int32"), np.zeros(rows), np.zeros(rows, bool)
    forward = whole(model, batch, length)
    for position in range(length):
        log_probs = forward(np.arange(rows), ids, position)
        for row in np.flatnonzero(~ended):
            is_given = prompt is not None and position < prompt.shape[1] and prompt[row, position] > 0
            chosen = prompt[row, position] if is_given else log_probs[row].argmax()
            ids[row, position] = chosen
            scores[row] += 0 if is_given else log_probs[row, chosen]
            ended[row] = chosen == END
    return ids, scores


def beams_by_recomputation(
    model: Any, batch: Batch, beams: int, penalty: float, length: int
) -> list[tuple[list[int], float]]:
    """The best sequence of each source and its score, by beam search over plain Python lists."""
    forward = whole(model, batch, length)
    return [_best(forward, row, beams, penalty, length) for row in range(len(next(iter(batch.values()))))]


def _best(forward: Any, row: int, beams: int, penalty: float, length: int) -> tuple[list[int], float]:
    alive: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple[float, list[int]]] = []
    for position in range(length):
        before = np.zeros((beams, length), "int32")
        for beam, (_, ids) in enumerate(alive):
            before[beam, :position] = ids
        log_probs = forward(np.full(beams, row), before, position)
        grown = [
            (score + gain, [*ids, token])
            for (score, ids), gains in zip(alive, log_probs, strict=False)
            for token, gain in enumerate(gains)
        ]
        grown = sorted(grown, key=lambda pair: -pair[0])[: 2 * beams]
        ended += [(score / ((6 + position) / 6) ** penalty, ids) for score, ids in grown if ids[-1] == END]
        ended = sorted(ended, key=lambda pair: -pair[0])[:beams]
        alive = [pair for pair in grown if pair[1][-1] != END][:beams]
        if ended and ended[0][0] > alive[0][0] / ((5 + length) / 6) ** penalty:
            break
    score, ids = ended[0] if ended else (alive[0][0] / ((5 + length) / 6) ** penalty, alive[0][1])
    return ids, score


def whole(model: Any, batch: Batch, length: int) -> Callable[..., np.ndarray]:
    """`(rows of the batch, ids so far (rows, length), position) → log-probabilities there`, by the training path."""
    forward = model._compiled(lambda given: model(given, training=False))

    def log_probs(rows: np.ndarray, ids: np.ndarray, position: int) -> np.ndarray:
        given = {name: ops.convert_to_tensor(value[rows]) for name, value in batch.items()}
        seen = np.broadcast_to(np.arange(length) <= position, ids.shape).astype("int32")
        given |= {"targets": ops.convert_to_tensor(ids), "targets_segments": ops.convert_to_tensor(seen)}
        logits = numbers(forward(given))[:, position].astype("float64")
        logits -= logits.max(axis=-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    return log_probs


def text_batch(rows: int = 8, source: int = 6, time: int = 5, size: int = 12, seed: int = 0) -> Batch:
    """Sources and targets of random lengths, END behind each target."""
    random = np.random.default_rng(seed)
    batch: Batch = {}
    for field, width in (("inputs", source), ("targets", time)):
        ids = random.integers(2, size, size=(rows, width)).astype("int32")
        lengths = random.integers(2, width + 1, size=rows)
        lengths[0] = width
        ids[np.arange(rows), lengths - 1] = END
        segments = (np.arange(width)[None] < lengths[:, None]).astype("int32")
        batch[field], batch[f"{field}_segments"] = ids * segments, segments
    return batch
