"""The versions of the packages that a run or a checkpoint was made with."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib import metadata

PACKAGES = (
    "kt2t", "keras", "tensorflow", "keras-nlp", "tensorflow-text", "jax", "numpy", "safetensors", "sentencepiece",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Returns the versions of Python, of kt2t and of those of its dependencies that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
