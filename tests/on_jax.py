"""The environment of a process of its own in which Keras runs on JAX."""

from __future__ import annotations

import os


def on_jax() -> dict[str, str]:
    """That of this process, and JAX without LLVM's optimizing: it compiles in a quarter of the time."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    return {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags.strip()}
