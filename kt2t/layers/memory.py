"""The encoder's output as a decoder receives it."""

from __future__ import annotations

from typing import Any, NamedTuple

Tensor = Any


class Memory(NamedTuple):
    """The output of an encoder, with the segments that assign its positions to examples.

    Attributes:
        states: (batch, source, any dim).
        segments: (batch, source) int32; 0 marks padding.
    """

    states: Tensor
    segments: Tensor
