"""Compares a model, given Tensor2Tensor's weights, with its logits, loss and gradients, and with what it decoded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from golden_means import near
from harness import ON_JAX, numbers
from keras import ops

from kt2t.decoding import Beam, Greedy
from kt2t.features import END
from kt2t.losses import CrossEntropy
from kt2t.ops.paths import attribute_paths
from kt2t.tensor2tensor import variables

Path_of = Callable[[str], str]
Join = Callable[[str, list[np.ndarray]], np.ndarray]


def one_behind_the_other(path: str, arrays: list[np.ndarray]) -> np.ndarray:
    """Joins the shards of a table."""
    return np.concatenate(arrays)


def by_path(case: Any, kind: str, path_of: Path_of, join: Join = one_behind_the_other) -> dict[str, np.ndarray]:
    """The arrays of one kind (`var`, `grad`) by our paths.

    Args:
        path_of: Our path for a name of the body.
        join: Makes one array of those that share a path.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for name in sorted((name for name in case.files if name.startswith(f"{kind}/")), key=_in_order):
        path = path_of(name) if "/body/" in name else variables.path_of(name)
        parts.setdefault(path, []).append(case[name])
    return {path: join(path, found) if len(found) > 1 else found[0] for path, found in parts.items()}


def assign(model: Any, case: Any, path_of: Path_of, join: Join = one_behind_the_other) -> None:
    """Gives a model every weight of the file, in the shape of ours; fails if one is missing on either side."""
    model.build()
    weights, given = attribute_paths(model), by_path(case, "var", path_of, join)
    assert sorted(weights) == sorted(given)
    for path, value in given.items():
        weights[path].assign(_shaped(value, weights[path], path))


def check(
    case: Any,
    model: Any,
    batch: dict[str, np.ndarray],
    targets: np.ndarray,
    weight: np.ndarray,
    path_of: Path_of,
    read: Any = slice(None),
    join: Join = one_behind_the_other,
) -> None:
    """The logits where `read` of them is True, the loss Σ w·l / Σ w, and its gradients if the file has them."""
    assign(model, case, path_of, join)
    weights = attribute_paths(model)
    logits, loss, found = _computed(model, batch, targets, weight, _smoothing(case), list(weights.values()))
    wanted = np.reshape(case["out/logits"], (len(logits), *(() if logits.ndim == 2 else (-1,)), logits.shape[-1]))
    wanted = wanted if logits.ndim == 2 else wanted[:, : logits.shape[1]]
    near(logits[read], wanted[read], 2e-5)
    np.testing.assert_allclose(loss, case["out/loss_training"], rtol=1e-5)
    theirs = by_path(case, "grad", path_of, join)
    assert not theirs or sorted(theirs) == sorted(weights)
    for path, gradient in zip(weights, found, strict=True):
        if path in theirs:
            limit = 2e-4 * max(np.abs(theirs[path]).max(), 1e-6)
            shaped = _shaped(theirs[path], weights[path], path)
            np.testing.assert_allclose(gradient, shaped, atol=limit, rtol=0, err_msg=path)


def check_decoded(case: Any, meta: dict[str, Any], model: Any, batch: dict[str, np.ndarray]) -> None:
    """What each search of the file finds, and its scores where the file has them."""
    for name, options in meta["decode"].items():
        if f"out/outputs_{name}" not in case.files:
            continue
        wanted = np.squeeze(case[f"out/outputs_{name}"])
        has_scores = f"out/scores_{name}" in case.files
        length = batch["inputs"].shape[1] + options["decode_length"]
        search = _search(options)
        found = model.generate(batch, search, length=length)
        wanted = wanted.reshape(len(wanted), -1, wanted.shape[-1])
        scores = case[f"out/scores_{name}"].reshape(wanted.shape[:2]) if has_scores else np.zeros(wanted.shape[:2])
        for row in range(len(wanted)):
            for place in range(wanted.shape[1]):
                ids, score = wanted[row, place], scores[row, place]
                if score < -1e6:  # upstream's empty place; ours holds a hypothesis still running
                    continue
                assert _up_to_end(found["ids"][row, place])[: len(_up_to_end(ids))] == _up_to_end(ids), (name, row)
                if END not in ids and isinstance(search, Beam):  # upstream leaves these scores without the penalty
                    score = score / ((5 + found["ids"].shape[2]) / 6) ** search.length_penalty
                if has_scores:
                    np.testing.assert_allclose(found["scores"][row, place], score, atol=1e-4, err_msg=name)


def _up_to_end(ids):
    ids = list(ids)
    return ids[: ids.index(END) + 1] if END in ids else ids


def _search(options):
    if options["beam_size"] == 1:
        return Greedy()
    n_best = options["top_beams"]
    return Beam(options["beam_size"], options["alpha"], n_best, early_stopping=n_best == 1)


def _smoothing(case: Any) -> float:
    options = json.loads(str(case["meta"]))
    return options["hparams"].get("label_smoothing", 0.0) if options["mode"] == "train" else 0.0


def _computed(
    model: Any, batch: Any, targets: Any, weight: Any, smoothing: float, variables: list[Any]
) -> tuple[np.ndarray, float, list[np.ndarray]]:
    """The logits, the loss and its gradients; one compiled function on JAX."""
    per_element = CrossEntropy(label_smoothing=smoothing)

    def loss_and_logits() -> tuple[Any, Any]:
        logits = model(batch, training=False)
        return ops.sum(per_element.call(targets, logits) * weight) / ops.sum(weight), logits

    if ON_JAX:
        import jax

        def stateless(values: Any) -> Any:
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return loss_and_logits()

        values = [variable.value for variable in variables]
        (loss, logits), found = jax.jit(jax.value_and_grad(stateless, has_aux=True))(values)
        return numbers(logits), float(loss), [np.asarray(one) for one in found]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss, logits = loss_and_logits()
    found = tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients="zero")
    return numbers(logits), float(loss), [tf.convert_to_tensor(one).numpy() for one in found]


def _shaped(value: np.ndarray, weight: Any, path: str) -> np.ndarray:
    """Without the axes of length 1 that upstream keeps for pictures; any other difference is an error."""
    shape = tuple(weight.shape)
    kept = [size for size in value.shape if size != 1]
    assert kept == [size for size in shape if size != 1], f"{path}: {value.shape} is not {shape}"
    return value.reshape(shape)


def _in_order(name: str) -> list[Any]:
    """Numbers by value, so that shard 10 comes after shard 9."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name)]
