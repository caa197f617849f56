"""Functions as TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def as_graph(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`tf.function` without autograph, and without its warning about retracing.

    TensorFlow counts the traces of all models of a process as those of one function, and takes several models for a
    mistake. It has no public option for this.
    """
    made = tf.function(function, autograph=False, **options)
    made._omit_frequent_tracing_warning = True
    return made
