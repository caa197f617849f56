"""Clips gradients after the sum over replicas, using the clipping options of the optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

OPTIONS = ("clipnorm", "global_clipnorm", "clipvalue")


class Clipping:
    """The clipping options of an optimizer, moved from the optimizer to this object, which `clip` applies to gradients.

    The optimizer would clip before the sum over replicas. The options are stored on the optimizer under another name,
    so that a second `compile` finds them.

    Args:
        optimizer: A Keras optimizer; for a `LossScaleOptimizer`, its inner optimizer is used.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        self._optimizer = innermost(optimizer)
        given = {name: getattr(self._optimizer, name, None) for name in OPTIONS}
        if not any(given.values()):
            given = getattr(self._optimizer, "_kt2t_clipping", given)
        object.__setattr__(self._optimizer, "_kt2t_clipping", given)
        self._given = given
        self._write(dict.fromkeys(OPTIONS))

    def clip(self, gradients: Sequence[Any], norm: Any, scale: Any = 1.0) -> list[Any]:
        """Returns the gradients, clipped by the optimizer's options: by global norm, by each gradient's norm, or by value.

        Args:
            gradients: Dense tensors, or None for a weight without a gradient.
            norm: Global norm of the gradients without `scale`.
            scale: Factor by which the gradients were multiplied (loss scaling).
        """
        if self._given["global_clipnorm"]:
            factor = _factor(self._given["global_clipnorm"], norm)
            return _each(gradients, lambda g: g * ops.cast(factor, g.dtype))
        if self._given["clipnorm"]:
            bound = self._given["clipnorm"]
            return _each(gradients, lambda g: g * ops.cast(_factor(bound, global_norm([g]) / scale), g.dtype))
        if self._given["clipvalue"]:
            bound = ops.cast(self._given["clipvalue"] * scale, "float32")
            return _each(gradients, lambda g: ops.clip(g, ops.cast(-bound, g.dtype), ops.cast(bound, g.dtype)))
        return list(gradients)

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Puts the clipping options back on the optimizer inside the `with` block, for example to serialise it."""
        self._write(self._given)
        try:
            yield
        finally:
            self._write(dict.fromkeys(OPTIONS))

    def _write(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self._optimizer, name, value)


def innermost(optimizer: Any) -> Any:
    """Returns the inner optimizer of a `LossScaleOptimizer`; any other optimizer, or None, unchanged."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def global_norm(gradients: Sequence[Any]) -> Any:
    """Returns the global norm √Σg² of all gradients, a float32 scalar; None entries are skipped."""
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
    return ops.sqrt(ops.sum(ops.stack(squares)))


def _factor(bound: float, norm: Any) -> Any:
    return bound / ops.maximum(norm, bound)


def _each(gradients: Sequence[Any], function: Any) -> list[Any]:
    return [None if gradient is None else function(gradient) for gradient in gradients]
