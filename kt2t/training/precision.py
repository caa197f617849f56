"""Chooses the dtype of the arithmetic for `train.dtype: auto` on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

# x86 processors that multiply bfloat16 matrices natively; elsewhere it is emulated and slower than float32.
_FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16"}


def precision(dtype: str = "auto") -> str:
    """Returns the name of the Keras dtype policy for a value of `train.dtype`, such as `mixed_bfloat16`.

    `auto` becomes `mixed_bfloat16` (float32 weights, bfloat16 arithmetic) if every GPU, or without GPUs the processor,
    multiplies bfloat16 natively. Otherwise it becomes `float32`.

    Args:
        dtype: `auto`, or the name of a policy, which is returned unchanged.
    """
    if dtype != "auto":
        return dtype
    gpus = _gpu_capabilities()
    fast = min(gpus) >= (8, 0) if gpus else bool(_FAST_BFLOAT16 & _processor_flags())
    return "mixed_bfloat16" if fast else "float32"


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets Keras's default dtype policy to `name` inside the `with` block, and restores the earlier one afterwards."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _gpu_capabilities() -> list[tuple[int, int]]:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        devices = [device for device in jax.devices() if device.platform == "gpu"]
        return [_version(getattr(device, "compute_capability", "0.0")) for device in devices]
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0)) for device in devices]


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _processor_flags(source: Path = Path("/proc/cpuinfo")) -> set[str]:
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())
