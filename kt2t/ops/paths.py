"""Attribute paths of layers and variables, such as `encoder.layers.0.norm.scale`.

Keras's own names and paths contain counters of the process. Attribute paths depend only on the model's definition, so
checkpoints and random seeds use them as keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

# Attributes where Keras lists a layer's parts once more, and where `register` keeps the constructor's arguments.
_ACCOUNTS = frozenset(
    {
        "_layers",
        "_metrics",
        "_trainable_variables",
        "_non_trainable_variables",
        "_seed_generators",
        "_tracker",
        "_kt2t_arguments",
        "_auto_config",
        "_functional",
    }
)


def attribute_paths(root: keras.layers.Layer) -> dict[str, keras.Variable]:
    """Returns every weight below `root` by its attribute path, in the order of definition.

    A weight that has two paths is listed under the first. A leading underscore of an attribute is dropped. A weight or
    layer that is in no attribute is found through Keras's lists and identified by its name or its index there.
    """
    return {path: part for path, part in _walk(root) if isinstance(part, keras.Variable)}


def layer_paths(root: keras.layers.Layer) -> dict[str, keras.layers.Layer]:
    """Returns every layer below `root` by its attribute path. The path of `root` itself is empty."""
    return {path: part for path, part in _walk(root) if isinstance(part, keras.layers.Layer)}


def _walk(root: keras.layers.Layer) -> Iterator[tuple[str, Any]]:
    visited: set[int] = set()
    weights = {id(weight) for weight in root.weights}
    pending: list[tuple[str, Any]] = [("", root)]
    while pending:
        path, part = pending.pop()
        if id(part) in visited:
            continue
        visited.add(id(part))
        if isinstance(part, keras.Variable):
            if id(part) in weights:
                yield path, part
            continue
        if isinstance(part, keras.layers.Layer):
            yield path, part
        pending.extend(reversed([(f"{path}.{name}" if path else name, below) for name, below in _parts(part)]))


def _parts(holder: Any) -> Iterator[tuple[str, Any]]:
    """Yields the direct parts of a layer or of a container of layers."""
    if isinstance(holder, Mapping):
        yield from ((str(key), value) for key, value in holder.items() if _holds(value))
    elif isinstance(holder, list | tuple):
        yield from ((str(index), value) for index, value in enumerate(holder) if _holds(value))
    else:
        for name, value in vars(holder).items():
            if name not in _ACCOUNTS and not name.startswith("_self_") and _holds(value):
                yield name.lstrip("_"), value
        yield from ((variable.name, variable) for variable in _accounted(holder))
        # Once built, a Sequential's `_layers` starts with an input layer; its public list never does.
        layers = holder.layers if isinstance(holder, keras.Model) else vars(holder).get("_layers")
        yield from ((f"layers.{index}", layer) for index, layer in enumerate(layers or ()))


def _accounted(layer: keras.layers.Layer) -> list[keras.Variable]:
    own = vars(layer)
    return [*(own.get("_trainable_variables") or ()), *(own.get("_non_trainable_variables") or ())]


def _holds(value: Any) -> bool:
    if isinstance(value, keras.layers.Layer | keras.Variable):
        return True
    if isinstance(value, Mapping):
        return any(_holds(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_holds(item) for item in value)
