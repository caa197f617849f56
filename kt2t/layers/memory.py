"""What an encoder hands to a decoder."""

from __future__ import annotations

from typing import Any, NamedTuple

Tensor = Any


class Memory(NamedTuple):
    """The output of an encoder, and which of it belongs to which example.

    Attributes:
        states: (batch, source, any dim).
        segments: (batch, source) int32; 0 marks padding.
    """

    states: Tensor
    segments: Tensor
