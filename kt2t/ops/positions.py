"""Positions within segments, and their sinusoids."""

from __future__ import annotations

import math
from typing import Any, Literal

from keras import ops

from kt2t.ops.keras_masks import segments_or_mask
from kt2t.ops.segments import starts

Tensor = Any
Layout = Literal["concatenated", "interleaved"]


def positions(segments: Tensor) -> Tensor:
    """Numbers the positions of each segment from 0.

    Shapes:
        segments (batch, time) → (batch, time) int32
    """
    length = ops.shape(segments)[1]
    index = ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    started = starts(segments)
    # Sorted, the starts of the runs form a table by run number. It acts as a running maximum and needs no static length.
    run_starts = ops.sort(ops.where(started, index, ops.full_like(index, length)), axis=1)
    run = ops.cumsum(ops.cast(started, "int32"), axis=1) - 1
    return index - ops.take_along_axis(run_starts, run, axis=1)


def positions_or_places(x: Tensor, given: Tensor | None) -> Tensor:
    """Returns `given`; if it is None, numbers the real positions of x by its implicit mask, or else all: 0, 1, …

    Shapes:
        x (batch, time, …), given (batch or 1, time) → (batch or 1, time) int32
    """
    if given is not None:
        return given
    segments = segments_or_mask(x, None)
    if segments is not None:
        return positions(segments)
    return ops.expand_dims(ops.arange(ops.shape(x)[1], dtype="int32"), 0)


def positions_from_end(segments: Tensor) -> Tensor:
    """Numbers the positions of each segment from its end: 0 for the last one.

    Shapes:
        segments (batch, time) → (batch, time) int32
    """
    return ops.flip(positions(ops.flip(segments, axis=1)), axis=1)


def reversal(segments: Tensor) -> Tensor:
    """Returns indices that reverse the order of the positions within every segment; padding keeps its place.

    Shapes:
        segments (batch, time) → (batch, time) int32
    """
    index = ops.expand_dims(ops.arange(ops.shape(segments)[1], dtype="int32"), 0)
    turned = index - positions(segments) + positions_from_end(segments)
    return ops.where(ops.greater(segments, 0), turned, ops.broadcast_to(index, ops.shape(segments)))


def sinusoids(
    positions: Tensor,
    hidden_dim: int,
    layout: Layout = "concatenated",
    min_timescale: float = 1.0,
    max_timescale: float = 1.0e4,
) -> Tensor:
    """Computes sines and cosines of positions at geometrically spaced wavelengths, in float32.

        concatenated: [sin(p · r_0), …, sin(p · r_n-1), cos(p · r_0), …],  r_i = min · (min / max)^(i / (n - 1))
        interleaved:  [sin(p · r_0), cos(p · r_0), sin(p · r_1), …],        r_i = min · (min / max)^(i / n)

    with n = hidden_dim / 2. If hidden_dim is odd, the last channel is zero. `min_timescale` multiplies the rates, as in
    Tensor2Tensor.

    Shapes:
        positions (…) → (…, hidden_dim)

    Source: interleaved is from Vaswani et al. 2017, section 3.5; concatenated is from Tensor2Tensor's code.
    """
    count = hidden_dim // 2
    divisor = max(count - 1, 1) if layout == "concatenated" else max(count, 1)
    step = math.log(max_timescale / min_timescale) / divisor
    rates = min_timescale * ops.exp(ops.arange(count, dtype="float32") * -step)
    angles = ops.expand_dims(ops.cast(positions, "float32"), -1) * rates
    if layout == "concatenated":
        signal = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
    else:
        pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
        signal = ops.reshape(pairs, (*ops.shape(angles)[:-1], 2 * count))
    return _widened(signal, hidden_dim % 2)


def grid_sinusoids(
    lengths: tuple[Any, ...], hidden_dim: int, min_timescale: float = 1.0, max_timescale: float = 1.0e4
) -> Tensor:
    """Computes sinusoids for the positions of a grid, such as a picture. Each axis has its own block of channels.

    Each of n axes gets 2 · (hidden_dim // 2n) channels in the concatenated layout. Remaining channels are zero.

    Shapes:
        → (1, *lengths, hidden_dim)
    """
    axes = len(lengths)
    channels = 2 * (hidden_dim // (2 * axes))
    blocks = []
    for axis, length in enumerate(lengths):
        along = sinusoids(ops.arange(length), channels, "concatenated", min_timescale, max_timescale)
        shape = [1] * (axes + 1) + [channels]
        shape[axis + 1] = length
        blocks.append(ops.broadcast_to(ops.reshape(along, shape), (1, *lengths, channels)))
    spare = hidden_dim - channels * axes
    signal = ops.concatenate(blocks, axis=-1)
    return _widened(signal, spare)


def proximity(query_length: Any, key_length: Any = None, offset: Any = 0) -> Tensor:
    """Computes a bias for attention logits that favours keys near the query, in float32.

        -log(1 + |query - key|)

    Args:
        query_length: Number of queries; a number or a scalar tensor.
        key_length: Number of keys; by default the number of queries.
        offset: Position of the first query among the keys.

    Shapes:
        → (1, query, key)

    Source: Tensor2Tensor's proximity bias.
    """
    queries = ops.expand_dims(ops.arange(query_length, dtype="int32") + ops.cast(offset, "int32"), (0, 2))
    keys = ops.expand_dims(ops.arange(query_length if key_length is None else key_length, dtype="int32"), (0, 1))
    return -ops.log1p(ops.cast(ops.abs(queries - keys), "float32"))


def _widened(signal: Tensor, spare: int) -> Tensor:
    return ops.pad(signal, [[0, 0]] * (len(signal.shape) - 1) + [[0, spare]]) if spare else signal
