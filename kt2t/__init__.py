"""kt2t: any problem, any model, one recipe, plain `compile` and `fit`."""

from __future__ import annotations

import importlib
from typing import Any

from kt2t.keras_registry import fill_in_when_keras_is_imported as _fill_in_when_keras_is_imported

__version__ = "0.1.0"

TABLE = {
    "register": "registry",
    "build": "registry",
    "describe": "registry",
    "lookup": "registry",
    "load": "run.opened",
    "Text": "features",
    "Tags": "features",
    "Label": "features",
    "MultiLabel": "features",
    "Image": "features",
    "Audio": "features",
    "Numbers": "features",
    "Recipe": "recipe",
    "Bytes": "data",
    "Characters": "data",
    "Subwords": "data",
    "Words": "data",
}
ROOMS = (
    "callbacks",
    "data",
    "decoding",
    "errors",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "scores",
    "training",
)


__all__ = sorted([*TABLE, *ROOMS])


def __getattr__(name: str) -> Any:
    if name in TABLE:
        return getattr(importlib.import_module(f"kt2t.{TABLE[name]}"), name)
    if name in ROOMS:
        return importlib.import_module(f"kt2t.{name}")
    raise AttributeError(f"module 'kt2t' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*TABLE, *ROOMS, "__version__"])


_fill_in_when_keras_is_imported()
