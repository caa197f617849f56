"""The environment of a child process in which Keras runs on JAX."""

from __future__ import annotations

import os

# The folder in which every child of one pytest session keeps what it has compiled; `conftest.py` makes and removes it.
CACHE = "KT2T_JAX_CACHE"


def on_jax() -> dict[str, str]:
    """This process's environment for a child on JAX that reuses what other children have compiled.

    LLVM does not optimize there, which makes compiling four times as fast, and XLA writes the code of fused operations
    in its older, simpler way, which takes a third off the rest.
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags.strip()}
    if CACHE in os.environ:
        environment |= {
            "JAX_COMPILATION_CACHE_DIR": os.environ[CACHE],
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return environment
