"""Where training runs: the scope that a model is made in."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Any

from kt2t.errors import RecipeError

_LATER = ("multi_worker", "tpu", "data_parallel", "model_parallel")


def strategy(name: str = "auto") -> AbstractContextManager[Any]:
    """A context in which to make and compile a model so that it trains on the devices named.

    Args:
        name: `none` for one device; `mirrored` for every GPU of this machine; `auto` for the best that is built, now
            one device.

    Raises:
        ValueError: A strategy that there is not, or not yet.
    """
    if name in _LATER:
        raise RecipeError(f"strategy: {name!r} is not built yet (see the roadmap). Use auto or none.")
    if name in ("none", "auto"):
        return contextlib.nullcontext()
    if name == "mirrored":
        return _mirrored()
    raise RecipeError(f"strategy: there is no {name!r}. There are auto, none and mirrored.")


def _mirrored() -> AbstractContextManager[Any]:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RecipeError("strategy: 'mirrored' is TensorFlow's. Use none on JAX.")
    import tensorflow as tf

    scope: AbstractContextManager[Any] = tf.distribute.MirroredStrategy().scope()
    return scope
