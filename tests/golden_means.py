"""Compares what an attention layer computes between its projections with Tensor2Tensor's numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from harness import numbers
from keras import ops

from kt2t.ops.masks import SegmentMask


def rule(case: Any, causal: bool) -> SegmentMask:
    """The mask of the rows of `in/q`, which have no padding."""
    batch, _, time, _ = case["in/q"].shape
    return SegmentMask(ops.ones((batch, time), dtype="int32"), causal)


def check_means(case: Any, layer: Any, mask: Any, tables: dict[str, Any] | None = None) -> None:
    """The weighted means, and if the file has them the gradients of the inputs and of `tables` (upstream name → weight)."""
    tables = tables or {}

    def means(q: Any, k: Any, v: Any) -> Any:
        return layer._means(q, k, v, mask, None, False)

    given = [ops.convert_to_tensor(case[f"in/{name}"]) for name in "qkv"]
    near(means(*given), case["out/y"], 1e-5)
    if "in/grad_weights" not in case.files:
        return
    total, found = gradients(lambda *x: ops.sum(means(*x) * case["in/grad_weights"]), given, list(tables.values()))
    np.testing.assert_allclose(total, case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    wanted = [case[f"gradin/{name}"] for name in "qkv"] + [case[f"grad/{name}"] for name in tables]
    for ours, theirs in zip(found, wanted, strict=True):
        near(ours, theirs, 1e-4)


def near(found: Any, wanted: np.ndarray, share: float) -> None:
    """Equal up to a share of the largest number."""
    np.testing.assert_allclose(numbers(found), wanted, atol=share * np.abs(wanted).max(), rtol=0)


def gradients(total: Any, given: list[Any], weights: list[Any]) -> tuple[float, list[np.ndarray]]:
    """The value of `total(*given)`, and its gradients by what is given and by the weights."""
    if keras.backend.backend() == "jax":
        import jax

        def stateless(*values: Any) -> Any:
            with keras.StatelessScope(list(zip(weights, values[len(given) :], strict=True))):
                return total(*values[: len(given)])

        values = [*given, *(weight.value for weight in weights)]
        value, found = jax.value_and_grad(stateless, argnums=tuple(range(len(values))))(*values)
        return float(value), [np.asarray(gradient) for gradient in found]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(given)
        value = total(*given)
    found = tape.gradient(value, [*given, *(weight.value for weight in weights)])
    return float(value), [tf.convert_to_tensor(gradient).numpy() for gradient in found]
