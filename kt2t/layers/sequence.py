"""The contract of every layer that turns a sequence into a sequence of the same length."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory

Tensor = Any


class Sequence(keras.layers.Layer):
    """A stack of blocks, of recurrent cells or of convolutions, which models are composed of.

    A subclass makes the masks and positions that it needs from `segments`. Examples that share a row do not influence
    each other, and padding influences nothing.

    A decoder is called in two ways. In training it gets whole sequences. In decoding it gets one position at a time:
    then `cache` holds what earlier positions left, the beams of a source stand on the time axis of `x`, `segments` is
    None, and what comes from the memory was put into the cache by `start`. Both give the same numbers.

    Shapes:
        call: x (batch, time, dim), segments (batch, time) int32 or None for rows without padding, memory or None
        → (batch, time, dim)

    Attributes:
        takes_packed_front: Whether a memory that stands in front of the sequence may hold several examples per row.
    """

    takes_packed_front = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define call(x, segments, memory, cache, training).")

    def start(self, memory: Memory | None, cache: Cache) -> None:
        """Makes room in the cache for decoding step by step, and puts into it what every step needs of the memory."""
        raise NotImplementedError(f"{type(self).__name__} must define start(memory, cache) to decode step by step.")

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> None:
        """None: segments are arguments, so no mask is attached to the output."""
        return None
