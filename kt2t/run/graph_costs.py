"""Counts the operations and the kept bytes of a training step in its TensorFlow graph, without running the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
_LOOPS = ("While", "StatelessWhile")
_VIEWS = {"Identity", "Reshape", "ExpandDims", "Squeeze", "StopGradient"}
_OF_WEIGHTS = {"Placeholder", "ReadVariableOp", "Const", "VarHandleOp"}


def costs(loss: Callable[..., Any], variables: list[Any], arguments: Any) -> tuple[float, int]:
    """Counts the operations of one forward and backward pass, and the bytes of tensors that the forward pass keeps.

    Traces both passes to a graph. Each multiplication and each addition in a matrix product or convolution is one
    operation. Operations in a loop count once per iteration, or once if the graph does not show the number of
    iterations. The kept tensors are those that the backward pass reads, except weights.

    Args:
        loss: A function of `arguments` that returns a scalar tensor.
        variables: The TensorFlow variables to differentiate by.
        arguments: The function's arguments as a nest of `tf.TensorSpec` with known shapes.

    Returns:
        The number of operations, and the number of bytes.
    """
    forward: list[int] = []

    def step(*given: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(*given)
        forward.append(len(tf.compat.v1.get_default_graph().get_operations()))
        return [value, *(one for one in tape.gradient(value, variables) if one is not None)]

    graph = tf.function(step, autograph=False).get_concrete_function(*arguments).graph
    needed, operations = _needed(graph), graph.get_operations()
    backward = [operation for operation in operations[forward[0] :] if operation in needed]
    return flop(graph), kept_bytes(operations[: forward[0]], backward)


def flop(graph: Any) -> float:
    """Counts the multiplications and additions of matrix products and convolutions in a TensorFlow graph.

    Functions that the graph calls are included: loops once per iteration, of a condition the more expensive branch.
    """
    found = 0.0
    for operation in _needed(graph):
        if operation.type in _LOOPS:
            found += _trips(operation) * flop(_function(operation, "body"))
        elif operation.type in ("If", "StatelessIf"):
            found += max(flop(_function(operation, branch)) for branch in ("then_branch", "else_branch"))
        elif operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            found += flop(_function(operation, "f"))
        else:
            found += _products(operation)
    return found


def kept_bytes(forward: list[Any], backward: list[Any]) -> int:
    """Counts the bytes of tensors that stay in memory between the forward and the backward pass.

    These are the forward pass's tensors that the backward pass reads, and those that loops keep for each iteration.
    Weights and scalars, such as the loss itself, are not counted.

    Args:
        forward: TensorFlow operations of the forward pass.
        backward: TensorFlow operations of the backward pass.
    """
    made = {id(operation) for operation in forward}
    tensors = {}
    for operation in backward:
        for tensor in operation.inputs:
            if id(tensor.op) in made:
                origin = _origin(tensor)
                is_data = origin.shape.rank != 0 and origin.dtype not in (tf.resource, tf.variant)
                if is_data and origin.op.type not in _OF_WEIGHTS:
                    tensors[origin.ref()] = _elements(origin.shape) * origin.dtype.size
    return int(sum(tensors.values()) + sum(_kept_in_loop(operation) for operation in forward))


def _products(operation: Any) -> float:
    kind, inputs = operation.type, operation.inputs
    if kind == "MatMul":
        common = inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
    elif kind in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
        common = inputs[0].shape[-2 if operation.get_attr("adj_x") else -1]
    elif kind == "Einsum" and len(inputs) == 2:
        common = _summed_over(operation)
    elif kind.startswith(CONVOLUTIONS):
        return _convolution(operation)
    else:
        return 0.0
    return 2.0 * _elements(operation.outputs[0].shape) * (common or 1)


def _convolution(operation: Any) -> float:
    """Counts the operations of a convolution or its gradient: two for each output element and each filter weight that
    it uses.
    """
    kind, inputs = operation.type, operation.inputs
    output = inputs[2] if "Backprop" in kind else operation.outputs[0]
    kernel = operation.outputs[0].shape if "BackpropFilter" in kind else inputs[1].shape
    under = list(kernel)[:-2] if kind.startswith("Depthwise") else list(kernel)[:-1]
    return 2.0 * _elements(output.shape) * _elements(under)


def _summed_over(operation: Any) -> int:
    terms, result = operation.get_attr("equation").decode().split("->")
    sizes: dict[str, int] = {}
    for labels, tensor in zip(terms.split(","), operation.inputs, strict=True):
        front, _, back = labels.partition("...")
        shape = list(tensor.shape)
        sizes.update(zip(front, shape, strict=False))
        sizes.update(zip(reversed(back), reversed(shape), strict=False))
    return _elements([size for label, size in sizes.items() if label not in result])


def _trips(operation: Any) -> int:
    """Returns the number of iterations of a loop: the smallest bound in its condition on a counter from 0, or 1 if none
    is known.
    """
    condition = _function(operation, "cond")
    places = {tensor.ref(): place for place, tensor in enumerate(condition.inputs)}

    def value(tensor: Any) -> int | None:
        tensor = _origin(tensor)
        if tensor.ref() in places:
            tensor = _origin(operation.inputs[places[tensor.ref()]])
        if tensor.op.type in _LOOPS and tensor.value_index == 0:  # a loop's gradient has as many iterations
            return _trips(tensor.op)
        found = tf.get_static_value(tensor)
        return int(found) if found is not None and np.ndim(found) == 0 else None

    bounds = [
        bound
        for one in condition.get_operations()
        if one.type == "Less" and value(one.inputs[0]) == 0 and (bound := value(one.inputs[1])) is not None
    ]
    return min(bounds, default=1)


def _kept_in_loop(operation: Any) -> int:
    if operation.type not in _LOOPS:
        return 0
    pushed = [one.inputs[1] for one in _function(operation, "body").get_operations() if one.type == "TensorListPushBack"]
    return _trips(operation) * sum(_elements(one.shape) * max(one.dtype.size, 0) for one in pushed)


def _function(operation: Any, name: str) -> Any:
    return operation.graph._get_function(operation.get_attr(name).name).graph


def _needed(graph: Any) -> set[Any]:
    """Returns the operations that the outputs of a graph depend on. TensorFlow does not run the others."""
    found: set[Any] = set()
    pending = [tensor.op for tensor in graph.outputs]
    while pending:
        operation = pending.pop()
        if operation not in found:
            found.add(operation)
            pending += [tensor.op for tensor in operation.inputs]
    return found


def _origin(tensor: Any) -> Any:
    while tensor.op.type in _VIEWS:
        tensor = tensor.op.inputs[0]
    return tensor


def _elements(shape: Any) -> int:
    """Returns the number of elements of a shape; an unknown size counts as 1."""
    return math.prod(1 if size is None else int(size) for size in list(shape))


