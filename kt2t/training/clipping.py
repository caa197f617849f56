"""Clips gradients after the sum over replicas, with the clipping options of the optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

OPTIONS = ("clipnorm", "global_clipnorm", "clipvalue")


class Clipping:
    """Takes the clipping options off an optimizer, so that gradients are clipped after the sum over replicas.

    The options are stored on the optimizer under another name, so that a second `compile` finds them.

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
        """Returns the gradients, clipped as the optimizer's options say.

        Args:
            gradients: Dense tensors or None.
            norm: Global norm of the gradients without `scale`.
            scale: Factor on the gradients (loss scaling).
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
        """Puts the options back on the optimizer inside the `with` block, for example to write its configuration."""
        self._write(self._given)
        try:
            yield
        finally:
            self._write(dict.fromkeys(OPTIONS))

    def _write(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self._optimizer, name, value)


def innermost(optimizer: Any) -> Any:
    """Returns the optimizer that a `LossScaleOptimizer` wraps; any other optimizer unchanged."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def global_norm(gradients: Sequence[Any]) -> Any:
    """Returns √Σg² over all gradients, a float32 scalar."""
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
    return ops.sqrt(ops.sum(ops.stack(squares)))


def _factor(bound: float, norm: Any) -> Any:
    return bound / ops.maximum(norm, bound)


def _each(gradients: Sequence[Any], function: Any) -> list[Any]:
    return [None if gradient is None else function(gradient) for gradient in gradients]
