"""Parts that are passed in: prototypes, nodes and functions become layers of the model that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import FunctionType
from typing import Any

import keras

from kt2t.registry import build, describe


def made(part: Any, option: str, dtype: str) -> Any:
    """Makes a new layer from a prototype layer, from its node, or by a function that takes `dtype`.

    Args:
        part: The prototype, the node or the function.
        option: The name of the option that held it, for errors.
        dtype: The dtype policy of a layer that does not name its own.

    Raises:
        ValueError: `part` is not a layer.
    """
    if isinstance(part, partial | FunctionType):
        return part(dtype=dtype)
    if not isinstance(part, keras.layers.Layer | Mapping):
        raise ValueError(f"{option}: {part!r} is no layer. `kt2t list layers` shows which there are.")
    return build(describe(part), option, dtype=dtype)
