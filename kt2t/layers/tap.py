"""Shows intermediate tensors of a model to callbacks, without a change of its layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kt2t.registry import register

Tensor = Any
_open: ContextVar[_Capture | None] = ContextVar("kt2t_capture", default=None)


@register
class Tap(keras.layers.Layer):
    """Returns its input, and stores it while a `capture` is open; otherwise it costs nothing.

    Shapes:
        x (…) → (…)

    Args:
        kind: Kind of the tensor, such as `attention` for attention weights (batch, heads, query, key). A view captures
            the kinds that it can draw.

    Source: the named identity on attention weights in DeepMind's gemma.
    """

    def __init__(self, kind: str = "states", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.kind = kind
        self.built = True

    def is_watched(self) -> bool:
        """Returns True while a `capture` of this kind is open; a layer may then compute what it does not need itself."""
        capturing = _open.get()
        return capturing is not None and capturing.wants(self.kind)

    def call(self, x: Tensor) -> Tensor:
        capturing = _open.get()
        if capturing is not None and capturing.wants(self.kind):
            shown = capturing.shown
            shown[_free_name(str(getattr(self, "_kt2t_path", self.name)), shown)] = _numbers(x)
        return x

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


class _Capture(NamedTuple):
    shown: dict[str, np.ndarray]
    kind: str | None

    def wants(self, kind: str) -> bool:
        return self.kind is None or self.kind == kind


@contextlib.contextmanager
def capture(kind: str | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Collects the inputs of all taps that run inside the `with` block, by attribute path; a second run is `PATH#1`.

    Run the model eagerly, on a few examples, outside any compiled function: a tap that is traced has no numbers.

    Args:
        kind: The kind of tap to collect from; all kinds if None.

    Raises:
        RuntimeError: `capture` is opened inside a compiled function, or a tap inside it is traced.
    """
    if not _has_numbers(ops.zeros(())):
        raise RuntimeError("capture is opened inside a compiled function. Open it around an eager call of the model.")
    shown: dict[str, np.ndarray] = {}
    token = _open.set(_Capture(shown, kind))
    try:
        yield shown
    finally:
        _open.reset(token)


def _numbers(x: Tensor) -> np.ndarray:
    if not _has_numbers(x):
        raise RuntimeError("capture is open while a model is compiled. Call the model eagerly inside it.")
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")))


def _has_numbers(x: Tensor) -> bool:
    if isinstance(x, keras.KerasTensor):
        return False
    try:
        ops.convert_to_numpy(x)
    except Exception:  # each backend has an error of its own for a traced tensor
        return False
    return True


def _free_name(name: str, taken: dict[str, np.ndarray]) -> str:
    if name not in taken:
        return name
    count = 1
    while f"{name}#{count}" in taken:
        count += 1
    return f"{name}#{count}"
