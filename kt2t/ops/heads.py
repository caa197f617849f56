"""Splits the last axis into attention heads and merges them again."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cuts the last axis into `num_heads` equal parts.

    Shapes:
        x (batch, time, dim) → (batch, heads, time, dim / heads)
    """
    length, depth = ops.shape(x)[1], x.shape[-1] // num_heads
    return ops.transpose(ops.reshape(x, (-1, length, num_heads, depth)), (0, 2, 1, 3))


def merge_heads(x: Tensor) -> Tensor:
    """Undoes `split_heads`.

    Shapes:
        x (batch, heads, time, depth) → (batch, time, heads · depth)
    """
    heads, length, depth = x.shape[1], ops.shape(x)[2], x.shape[3]
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, length, heads * depth))
