"""Automatic differentiation inside a computation, for which Keras has no neutral function.

The one file of the pure packages that names backends; nothing but `ops/custom_gradient.py` uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras.src.backend.common.variables import AutocastScope  # no public way reads a weight in its own dtype

Tensor = Any
Pull = Callable[[Sequence[Tensor]], list[Tensor]]


def pullback(function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor]) -> tuple[list[Tensor], Pull]:
    """Runs a function; returns its outputs and a function from the outputs' gradients to the inputs' gradients.

    Args:
        function: Takes tensors and returns a sequence of tensors.
        inputs: Floating tensors. An input that no output depends on has gradient zero.
    """
    if keras.backend.backend() == "jax":
        import jax

        outputs, pull = jax.vjp(lambda *tensors: list(function(*tensors)), *inputs)
        return outputs, lambda gradients: list(pull(list(gradients)))
    import tensorflow as tf

    with tf.GradientTape(persistent=False, watch_accessed_variables=False) as tape:
        tape.watch(list(inputs))
        outputs = list(function(*inputs))

    def pull_on_tensorflow(gradients: Sequence[Tensor]) -> list[Tensor]:
        found = tape.gradient(outputs, list(inputs), list(gradients), tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(one) for one in found]  # those of rows looked up in a table are sparse

    return outputs, pull_on_tensorflow


def read(variables: Sequence[Any]) -> list[Tensor]:
    """Reads variables as tensors, each in the variable's own dtype; gradients reach the variables."""
    with AutocastScope(None):
        if keras.backend.backend() == "jax":
            return [variable.value for variable in variables]
        import tensorflow as tf

        return [tf.convert_to_tensor(variable.value) for variable in variables]


def after(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """Returns `tensors` (floating), computed after `others`, so that the graph optimizer cannot merge the two."""
    if keras.backend.backend() == "jax":
        import jax

        return list(jax.lax.optimization_barrier((list(tensors), list(others)))[0])
    import tensorflow as tf

    # XLA and the graph's optimizer do not respect control dependencies, but they cannot tell that this is always zero.
    first = tf.cast(tf.reshape(others[0], (-1,))[:1], "float32")
    never = tf.reduce_any(tf.math.is_nan(first) & tf.math.is_finite(first))
    return [one + tf.cast(never, one.dtype) for one in tensors]
