"""Operations on segments: several examples packed into one row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from keras import ops

Tensor = Any
_shown: ContextVar[Any] = ContextVar("kt2t_segments", default=None)


@contextlib.contextmanager
def showing(segments: Tensor | Mapping[str, Tensor | None] | None) -> Iterator[None]:
    """Lets losses and metrics see the segments of the targets, which Keras does not pass to them.

    Shapes:
        segments (batch, time), or a dict of these by target; None where a row is one example
    """
    token = _shown.set(segments)
    try:
        yield
    finally:
        _shown.reset(token)


@contextlib.contextmanager
def showing_target(key: str) -> Iterator[None]:
    """Makes `shown()` return the segments of the target `key` inside the `with` block."""
    everything = _shown.get()
    with showing(everything.get(key) if isinstance(everything, Mapping) else everything):
        yield


def of_targets(features: Any, targets: Any = None) -> Any:
    """Returns the segments of the targets from the features of a batch: a tensor, a dict by target, or None if missing.

    Args:
        features: The features that the model is called with.
        targets: The problem's `targets`, a `Feature` or a dict of them, which says whose segments a target shares.
            Without it the segments are `targets_segments`, or else those of the inputs.
    """
    if isinstance(targets, Mapping):
        return {key: _of_field(features, f"targets.{key}", one) for key, one in targets.items()}
    if targets is not None:
        return _of_field(features, "targets", targets)
    if not isinstance(features, Mapping):
        return None
    return features.get("targets_segments", features.get("inputs_segments"))


def shown() -> Tensor | None:
    """Returns the segments that the innermost open `showing` was given; None if there are none, or one per target."""
    found = _shown.get()
    return None if isinstance(found, Mapping) else found


def _of_field(features: Any, name: str, feature: Any) -> Tensor | None:
    if not isinstance(features, Mapping) or not feature.has_segments:
        return None
    return features.get(f"{feature.shares_segments_with or name}_segments")


def starts(segments: Tensor) -> Tensor:
    """Marks the first position of every segment, and of every run of padding.

    Shapes:
        segments (batch, time) → (batch, time) boolean
    """
    before = ops.pad(segments[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
    return ops.not_equal(segments, before)


def sums(x: Tensor, segments: Tensor) -> Tensor:
    """Sums over each run of equal segments.

    Shapes:
        x (batch, time), segments (batch, time) → (batch, time): the sum of run k at position k, then zeros
    """
    batch, time = ops.shape(segments)
    run = ops.cumsum(ops.cast(starts(segments), "int32"), axis=1) - 1
    place = run + time * ops.expand_dims(ops.arange(batch, dtype="int32"), 1)
    found = ops.segment_sum(ops.reshape(x, (-1,)), ops.reshape(place, (-1,)), num_segments=batch * time)
    return ops.reshape(found, (batch, time))


def maxima(x: Tensor, segments: Tensor) -> Tensor:
    """Takes the maximum over each run of equal segments, and repeats it at every position of the run.

    Shapes:
        x (batch, time, dim), segments (batch, time) → (batch, time, dim)
    """
    batch, time = ops.shape(segments)
    run = ops.cumsum(ops.cast(starts(segments), "int32"), axis=1) - 1
    place = run + time * ops.expand_dims(ops.arange(batch, dtype="int32"), 1)
    rows = ops.reshape(x, (-1, x.shape[-1]))
    found = ops.segment_max(rows, ops.reshape(place, (-1,)), num_segments=batch * time)
    return ops.reshape(ops.take(found, ops.reshape(place, (-1,)), axis=0), ops.shape(x))


def shift_right(x: Tensor, segments: Tensor | None = None, first: Tensor | None = None) -> Tensor:
    """Shifts each segment one position to the right, so that a decoder reads only earlier positions.

    The first position of every segment becomes zero. There is no start token.

    Shapes:
        x (batch, time) or (batch, time, …), segments (batch, time), first (batch or 1, 1) or (batch or 1, 1, …) → as x

    Args:
        x: Ids or hidden states.
        segments: Default: each row is one segment.
        first: Value for the first position of every segment, instead of zeros.
    """
    rest = [[0, 0]] * (len(x.shape) - 2)
    shifted = ops.pad(x[:, :-1], [[0, 0], [1, 0], *rest])
    if segments is None:
        if first is None:
            return shifted
        inside = ops.expand_dims(ops.greater(ops.arange(ops.shape(x)[1]), 0), 0)
    else:
        inside = ops.logical_not(starts(segments))
    if rest:
        inside = ops.expand_dims(inside, tuple(range(2, len(x.shape))))
    return ops.where(inside, shifted, ops.zeros_like(shifted) if first is None else ops.cast(first, shifted.dtype))


def shift_left(x: Tensor, segments: Tensor | None = None) -> Tensor:
    """Shifts each segment one position to the left; the last position of every segment becomes zero.

    Shapes:
        x (batch, time) or (batch, time, …), segments (batch, time) → as x

    Args:
        x: Ids or hidden states.
        segments: Default: each row is one segment.
    """
    turned = None if segments is None else ops.flip(segments, axis=1)
    return ops.flip(shift_right(ops.flip(x, axis=1), turned), axis=1)


def last_positions(segments: Tensor) -> Tensor:
    """Finds the last position of every segment.

    Shapes:
        segments (batch, time) → (batch, time + 1) int32: place k holds the last position of segment k, 0 if there is none
    """
    batch, time = ops.shape(segments)
    index = ops.broadcast_to(ops.expand_dims(ops.arange(time, dtype="int32"), 0), (batch, time))
    row = ops.expand_dims(ops.arange(batch, dtype="int32"), 1) * (time + 1)
    number = ops.reshape(row + ops.cast(segments, "int32"), (-1,))
    found = ops.segment_max(ops.reshape(index, (-1,)), number, num_segments=batch * (time + 1))
    return ops.reshape(ops.maximum(found, 0), (batch, time + 1))


def first_positions(segments: Tensor) -> Tensor:
    """Finds the first position of every segment.

    Shapes:
        segments (batch, time) → (batch, time + 1) int32: place k holds the first position of segment k, time - 1 if there is
        none
    """
    return ops.shape(segments)[1] - 1 - last_positions(ops.flip(segments, axis=1))


def padding_in_front(x: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Moves the padding at the end of each row to its start, so that what is put behind the row follows its last example.

    Shapes:
        x (batch, time, dim), segments (batch, time) → the same
    """
    time = ops.shape(segments)[1]
    count = ops.sum(ops.cast(ops.equal(segments, 0), "int32"), axis=1, keepdims=True)
    place = (ops.expand_dims(ops.arange(time, dtype="int32"), 0) - count) % time
    return ops.take_along_axis(x, ops.expand_dims(place, 2), axis=1), ops.take_along_axis(segments, place, axis=1)
