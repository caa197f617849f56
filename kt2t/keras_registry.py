"""Lets Keras find the classes of kt2t by name, so that `keras.models.load_model` needs nothing but `import kt2t`.

A saved model names its classes, such as `kt2t>Transformer`. Keras looks such a name up in its own registry, into which
`register` puts a class when its module is imported. Until then the registry holds a stand-in, which imports the module
when Keras asks it for anything. So `import kt2t` stays light, and nothing is imported that a saved model does not use.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

# The packages that hold subclasses of classes of keras.
PACKAGES = ("kt2t.models", "kt2t.layers", "kt2t.losses", "kt2t.metrics", "kt2t.training", "kt2t.callbacks")


class StandIn:
    """Stands for a class in Keras's registry until its module is imported.

    Args:
        package: The package that has the class among its public names.
        name: Of the class.
    """

    def __init__(self, package: str, name: str) -> None:
        self._where = (package, name)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # Python and others look for these on any object
            raise AttributeError(attribute)
        return getattr(self._imported(), attribute)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._imported()(*arguments, **options)

    def __repr__(self) -> str:
        return f"<{'.'.join(self._where)}, not imported yet>"

    def _imported(self) -> Any:
        package, name = self._where
        return getattr(importlib.import_module(package), name)


def fill_in() -> None:
    """Puts a stand-in into Keras's registry for each public class that is not there yet."""
    from keras.saving import get_custom_objects

    from kt2t.registry import table

    known = get_custom_objects()
    for package in PACKAGES:
        for name in table(package):
            if name[:1].isupper():
                known.setdefault(f"kt2t>{name}", StandIn(package, name))


def fill_in_when_keras_is_imported() -> None:
    """Calls `fill_in` at once if keras has been imported, else as soon as it is."""
    if "keras" in sys.modules:
        fill_in()
    else:
        sys.meta_path.insert(0, cast(Any, _WaitsForKeras()))


class _WaitsForKeras:
    """A finder that lets Python's others import keras, and calls `fill_in` when that is done."""

    def __init__(self) -> None:
        self._asks_the_others = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras" or self._asks_the_others:
            return None
        from importlib.util import find_spec

        self._asks_the_others = True
        try:
            spec = find_spec(name)
        finally:
            self._asks_the_others = False
        if spec is not None and spec.loader is not None:
            self._hook(spec.loader)
        return spec

    def _hook(self, loader: Any) -> None:
        execute = loader.exec_module

        def execute_and_fill_in(module: ModuleType) -> None:
            del loader.exec_module  # from here on the loader is as Python made it
            execute(module)
            sys.meta_path.remove(cast(Any, self))
            fill_in()

        loader.exec_module = execute_and_fill_in
