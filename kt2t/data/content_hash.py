"""Hashes raw examples by their content, to choose those that are held out for validation."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np


def content_hash(example: Mapping[str, Any], buffers: bool = True) -> tuple[int, bool]:
    """Hashes the content of a raw example to 64 bits; also returns whether it holds bytes or arrays.

    Args:
        example: Text, numbers, bytes and arrays, in lists and mappings of any depth.
        buffers: Whether the memory of bytes and arrays is hashed. Otherwise arrays are hashed as lists of numbers: slowly.
            The hash of an example without them is the same either way.

    Raises:
        TypeError: The example holds something else.
    """
    found = False

    def plain(value: Any) -> Any:
        nonlocal found
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, bytes | bytearray | memoryview) and buffers:
            found = True
            return {"bytes": _digest(value)}
        array = np.asarray(value)
        if array.ndim and array.dtype.kind in "biufc" and buffers:
            found = True
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            return {"array": [little.dtype.str, list(array.shape), _digest(little.data)]}
        listed = array.tolist()
        if type(listed) is type(value):
            raise TypeError(f"{type(value).__name__} in a raw example cannot be hashed. Give text, numbers, bytes or arrays")
        return listed

    text = json.dumps(example, sort_keys=True, ensure_ascii=False, default=plain)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big"), found


def _digest(buffer: Any) -> str:
    return hashlib.blake2b(buffer, digest_size=16).hexdigest()
