"""Checks NumPy arrays for infinities and NaN."""

from __future__ import annotations

import numpy as np


def is_float(dtype: np.dtype) -> bool:
    """Whether a NumPy dtype can hold infinities or NaN; True also for bfloat16 and the float8 dtypes of ml_dtypes."""
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float8"))


def is_finite(value: np.ndarray) -> bool:
    """Whether an array holds no infinity and no NaN; True for integer dtypes, which have neither."""
    if not is_float(value.dtype):
        return True
    if value.dtype != np.float32:
        value = value.astype(np.float32)
    # A sum is finite only if every term is, and it is many times faster than a check of each. If it overflows, check each.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(value.sum())) or bool(np.isfinite(value).all())
