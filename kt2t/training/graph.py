"""Compiles functions to TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def as_graph(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compiles a function with `tf.function`, without autograph and without TensorFlow's warning about frequent retracing.

    TensorFlow counts the traces of all models in a process together, so it would warn if there are several models. It
    has no public option that turns the warning off.

    Args:
        function: A function of tensors.
        options: Options of `tf.function`, such as `jit_compile`.
    """
    made = tf.function(function, autograph=False, **options)
    made._omit_frequent_tracing_warning = True
    return made
