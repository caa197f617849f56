"""The neighbours in time of each position, for feed-forward networks that convolve: in whole rows and step by step."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.ops.masks import SegmentMask

Tensor = Any


def neighbours(
    x: Tensor,
    width: int,
    segments: Tensor | None = None,
    causal: bool = False,
    cache: Cache | None = None,
    name: str = "",
) -> list[Tensor]:
    """Returns x shifted along time, once for each place of a window, from the earliest place to the latest.

    A causal window ends at the position itself; another one has `(width - 1) // 2` places before it. A place outside the
    row, in another example or in padding holds zeros, and so does every window of padding. With a cache, x is one
    position of each beam, and the places before it are read from the state `name`, which moves on.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None → `width` tensors (batch, time, dim)
    """
    if cache is not None:
        return _step(x, cache, name)
    if width == 1:
        return [x if segments is None else x * ops.cast(ops.expand_dims(segments > 0, 2), x.dtype)]
    length, left = ops.shape(x)[1], width - 1 if causal else (width - 1) // 2
    margin = [left, width - 1 - left]
    padded = ops.pad(x, [[0, 0], margin, [0, 0]])
    shifted = [padded[:, place : place + length] for place in range(width)]
    if segments is None:
        return shifted
    around = ops.pad(segments, [[0, 0], margin])
    found = []
    for place, value in enumerate(shifted):
        same = ops.logical_and(ops.equal(around[:, place : place + length], segments), ops.greater(segments, 0))
        found.append(value * ops.cast(ops.expand_dims(same, 2), x.dtype))
    return found


def keep_neighbours(cache: Cache, name: str, width: int, dim: int, dtype: str) -> None:
    """Makes the state `name` for windows of `width` places: the places before the position itself, zeros at the start."""
    cache.keep(name, (width - 1, dim), dtype)


def row_of(mask: Any) -> tuple[Tensor | None, bool]:
    """Returns the segments (or None for rows without padding) that a mask tells of, and whether it is causal.

    Args:
        mask: A `SegmentMask`, or a padding mask (batch, time), or None.

    Raises:
        ValueError: The mask has an axis of queries, so it does not tell which positions are neighbours.
    """
    if mask is None:
        return None, False
    if isinstance(mask, SegmentMask):
        return mask.segments, mask.causal
    if len(mask.shape) != 2:
        raise ValueError(
            f"mask: shape {tuple(mask.shape)} has an axis of queries. A feed-forward network that reads segments takes a "
            "SegmentMask, or a mask of the padding (batch, time)."
        )
    return ops.cast(mask, "int32"), False


def _step(x: Tensor, cache: Cache, name: str) -> list[Tensor]:
    before = cache.read(name)
    window = ops.concatenate([before, ops.cast(ops.expand_dims(x, 2), before.dtype)], axis=2)
    cache.write(name, window[:, :, 1:])
    return [window[:, :, place] for place in range(window.shape[2])]
