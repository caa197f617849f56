"""The encoder's output as a decoder receives it."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from kt2t.ops.segments import last_positions

Tensor = Any


class Memory(NamedTuple):
    """The output of an encoder, with the segments that assign its positions to examples.

    Attributes:
        states: (batch, source, any dim).
        segments: (batch, source) int32; 0 marks padding.
    """

    states: Tensor
    segments: Tensor

    def at_ends(self, segments: Tensor) -> Tensor:
        """Returns, for each position of a sequence, the memory's state at the last position of the same example.

        Shapes:
            segments (batch, time) → (batch, time, dim)
        """
        last = last_positions(self.segments)
        number = ops.minimum(segments, ops.shape(last)[1] - 1)
        places = ops.take_along_axis(last, number, axis=1)
        return ops.take_along_axis(self.states, ops.expand_dims(places, 2), axis=1)

    def at_end(self) -> Tensor:
        """Returns the state at the last position of each row's first example, as if it were the only one: (batch, dim)."""
        return self.at_ends(ops.ones_like(self.segments[:, :1]))[:, 0]
