"""Imports keras and its backend without the messages that their C++ code prints at start-up."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kt2t.errors import RecipeError, ResourceError

# Modules that keras and tensorflow import if installed, and that kt2t does not need.
OPTIONAL = ("matplotlib", "jax")
BACKENDS = {"tensorflow": "tensorflow", "jax": "kt2t[jax]"}  # and the packages to install

_GREETING = re.compile(
    rb"(I|W)\d{4} \d\d:\d\d:|[IW]0000 |WARNING: All log messages before absl|\d{4}-\d\d-\d\d .*: [IW] "
)


def import_keras(operation: bool = True) -> None:
    """Imports keras, and removes its backend's start-up messages from stderr. All other output to stderr is kept.

    Args:
        operation: Whether to run a first operation, at which the backend prints further start-up messages. Pass False
            for several workers: they must connect before TensorFlow runs any operation.

    Raises:
        ValueError: kt2t has no trainer for the Keras backend.
        OSError: The backend is not installed.
    """
    if "keras" in sys.modules:
        return
    check_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_greetings(), collecting_rarely():
        with _absent([name for name in OPTIONAL if name != _backend()[0]]):
            import keras
        _plot_later()
        if operation:
            keras.ops.zeros(())
    # Decoding makes one graph for each of a few widths. TensorFlow takes this for a mistake and warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def collecting_rarely() -> Iterator[None]:
    """Turns off Python's garbage collector inside the `with` block, and makes it run less often afterwards.

    The collector never examines objects made inside the block. Imports and tracing make so many objects that with
    Python's defaults the collector takes a twelfth of their time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        gc.enable()


@contextlib.contextmanager
def _absent(modules: list[str]) -> Iterator[None]:
    """Makes imports of these modules fail inside the `with` block, which saves a second. Afterwards they can be imported."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _plot_later() -> None:
    """Replaces the matplotlib that keras failed to import by one that is imported at its first use."""
    module: Any = sys.modules.get("keras.src.visualization.plot_image_gallery")
    if module is not None and getattr(module, "plt", module) is None:
        module.plt = _Later("matplotlib.pyplot")


class _Later:
    """A stand-in for a module, which imports the module at the first access to an attribute."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def check_backend() -> None:
    """Checks that kt2t can train on the selected Keras backend and that it is installed, before keras is imported.

    Raises:
        ValueError: kt2t has no trainer for the backend.
        OSError: The backend is not installed.
    """
    backend, origin = _backend()
    if backend not in BACKENDS:
        raise RecipeError(
            f"{origin}: kt2t trains on {' and '.join(BACKENDS)}, not on {backend!r}. Set KERAS_BACKEND=tensorflow."
        )
    if importlib.util.find_spec(backend) is None:
        raise ResourceError(
            f"{origin}: the backend is {backend}, which is not installed here. Install it (pip install '{BACKENDS[backend]}'), "
            f"or set KERAS_BACKEND={'tensorflow' if backend == 'jax' else 'jax'}."
        )


def _backend() -> tuple[str, str]:
    """Returns the name of the backend that keras will use, and the variable or file that selects it."""
    if backend := os.environ.get("KERAS_BACKEND"):
        return backend, "KERAS_BACKEND"
    file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["backend"]), str(file)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return "tensorflow", "keras"


@contextlib.contextmanager
def _without_greetings() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            aside.seek(0)
            rest = b"".join(line for line in aside if not _GREETING.match(line))
            if rest:
                os.write(2, rest)
