"""Counts the operations and the kept bytes of a training step in its jaxpr, JAX's trace of it, without running it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax


def costs(loss: Callable[..., Any], weights: list[Any], arguments: Any) -> tuple[float, int]:
    """Counts the operations of one forward and backward pass, and the bytes of arrays that the forward pass keeps.

    Traces both passes. Each multiplication and each addition in a matrix product or convolution is one operation.
    Operations in a `scan` count once per iteration, those in other loops once. The kept arrays are those that the
    backward pass reads, except weights.

    Args:
        loss: A function of `weights` and `arguments` that returns a scalar.
        weights: The weights to differentiate by, as `jax.ShapeDtypeStruct`.
        arguments: The other arguments, as a nest of `jax.ShapeDtypeStruct`.

    Returns:
        The number of operations, and the number of bytes.
    """
    traced = jax.make_jaxpr(jax.grad(loss))(weights, *arguments)
    # What `jax.vjp` returns is a tree whose leaves are all that the backward pass reads.
    kept = jax.eval_shape(lambda weights, *given: jax.vjp(lambda one: loss(one, *given), weights)[1], weights, *arguments)
    sizes = [math.prod(one.shape) * one.dtype.itemsize for one in jax.tree.leaves(kept) if hasattr(one, "shape")]
    of_weights = sum(math.prod(one.shape) * one.dtype.itemsize for one in weights)
    return flop(traced.jaxpr), max(0, sum(sizes) - of_weights)


def flop(jaxpr: Any) -> float:
    """Counts the multiplications and additions of matrix products and convolutions in a jaxpr.

    Nested jaxprs are included: of a `scan` once per iteration, of a condition the more expensive branch.
    """
    found = 0.0
    for equation in jaxpr.eqns:
        kind, inner = equation.primitive.name, [flop(one) for one in _inside(equation.params)]
        if kind == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            found += 2.0 * math.prod(equation.outvars[0].aval.shape) * math.prod(shape[axis] for axis in contracted)
        elif kind == "conv_general_dilated":
            found += _convolution(equation)
        elif kind == "scan":
            found += equation.params["length"] * sum(inner)
        else:
            found += max(inner, default=0.0) if kind == "cond" else sum(inner)
    return found


def _convolution(equation: Any) -> float:
    """Counts the operations of a convolution: two for each output element and each filter weight that it uses."""
    numbers = equation.params["dimension_numbers"]
    kernel = equation.invars[1].aval.shape
    under = math.prod(kernel) / kernel[numbers.rhs_spec[0]]
    return 2.0 * math.prod(equation.outvars[0].aval.shape) * under / equation.params["batch_group_count"]


def _inside(parameters: dict[str, Any]) -> Iterator[Any]:
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if hasattr(one, "eqns"):
                yield one
            elif hasattr(one, "jaxpr"):
                yield one.jaxpr
