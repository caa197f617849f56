"""Names an optimizer's variables: `<slot>/<path of the weight>`, or `<slot>` for a variable that belongs to no weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from kt2t.errors import RunError

# Attributes that Keras's optimizer keeps for tracking: all its variables, and the model's weights.
_ACCOUNTS = ("_variables", "_trainable_variables")


def slots(optimizer: keras.optimizers.Optimizer, paths: Mapping[str, keras.Variable]) -> dict[str, keras.Variable]:
    """Returns an optimizer's variables by name, such as `momentums/encoder.norm.scale`.

    Unlike Keras's own names, these are the same in every process.

    Args:
        optimizer: A built optimizer.
        paths: The model's weights by attribute path, such as `encoder.norm.scale`.

    Raises:
        RuntimeError: A variable is in no attribute of the optimizer.
    """
    names = {id(variable): path for path, variable in paths.items()}
    wanted = {id(variable): variable for variable in optimizer.variables}
    found: dict[str, keras.Variable] = {}
    for name, variable in _named(optimizer, names, "", set()):
        if wanted.pop(id(variable), None) is not None:
            found[name] = variable
    if wanted:
        lost = ", ".join(variable.name for variable in wanted.values())
        raise RunError(f"{type(optimizer).__name__} holds {lost} in a way that a checkpoint cannot name.")
    return found


def _named(
    optimizer: Any, names: Mapping[int, str], prefix: str, visited: set[int]
) -> Iterator[tuple[str, keras.Variable]]:
    visited.add(id(optimizer))
    weights = list(optimizer._trainable_variables)
    for attribute, value in vars(optimizer).items():
        slot = prefix + attribute.lstrip("_")
        if attribute in _ACCOUNTS:
            continue
        if isinstance(value, keras.Variable):
            yield slot, value
        elif isinstance(value, keras.optimizers.Optimizer):
            yield from _inner(value, names, f"{slot}.", visited)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                if isinstance(item, keras.Variable) and len(value) == len(weights):
                    yield f"{slot}/{names.get(id(weights[index]), index)}", item
                elif isinstance(item, keras.Variable):
                    yield f"{slot}/{index}", item
                elif isinstance(item, keras.optimizers.Optimizer):
                    yield from _inner(item, names, f"{slot}.{index}.", visited)


def _inner(optimizer: Any, names: Mapping[int, str], prefix: str, visited: set[int]) -> Iterator[tuple[str, Any]]:
    if id(optimizer) not in visited:
        yield from _named(optimizer, names, prefix, visited)
