"""The contract of every layer that turns a sequence into a sequence of the same length."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.ops.keras_masks import implicit_mask, segments_or_mask

Tensor = Any


class Sequence(keras.layers.Layer):
    """Base class of the layers that turn a sequence into one of the same length: encoders and decoders of models.

    A subclass makes the masks and positions that it needs from `segments`. Examples that share a row do not influence
    each other, and padding influences nothing.

    A decoder is called in two ways. In training it gets whole sequences. In decoding it gets one position at a time:
    then `cache` holds the state after the earlier positions, the time axis of `x` holds the beams of a source, `segments` is
    None, and `start` has stored in the cache what the decoder reads from the memory. Both ways give the same numbers.

    Where `segments` are missing, a padding mask (batch, time) takes their place: the argument `mask`, or the implicit mask
    that Keras attached to `x`.

    Shapes:
        call: x (batch, time, dim), segments (batch, time) int32 or None for rows without padding, memory or None
        → (batch, time, dim)

    Attributes:
        takes_packed_front: Whether a memory that stands in front of the sequence may hold several examples per row.
        can_decode: Whether the layer may be a decoder; not if it reads later positions.
    """

    takes_packed_front = False
    can_decode = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def __call__(
        self, x: Tensor, segments: Tensor | None = None, *args: Any, mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        # While Keras traces a functional model a mask has no numbers; the same call comes again when the model runs.
        is_symbol = isinstance(x, keras.KerasTensor) and mask is None
        if not is_symbol and kwargs.get("cache") is None:
            segments = segments_or_mask(x, segments, mask)
        return super().__call__(x, segments, *args, **kwargs)

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
        """Prepares the cache for decoding step by step: reserves space, and stores what each step reads from the memory."""
        raise NotImplementedError(f"{type(self).__name__} must define start(memory, cache) to decode step by step.")

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Tensor | None:
        """Returns the implicit mask of x, or None."""
        return implicit_mask(x)
