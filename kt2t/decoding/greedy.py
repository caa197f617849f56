"""Greedy decoding."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.decoding.single import Single
from kt2t.registry import register

Tensor = Any


@register
class Greedy(Single):
    """Chooses the most probable next id, or the smallest one if several are equally probable.

    Shapes:
        logits (batch, 1, vocabulary_size) → ids (batch, 1, time), scores (batch, 1) in nats

    Args:
        extra_length: Decoding stops this many tokens after the source's length.

    Raises:
        ValueError: `extra_length` is negative.
    """

    def __init__(self, extra_length: int = 50) -> None:
        super().__init__(extra_length)

    def pick(self, logits: Tensor, position: Tensor, draw: Tensor = 0) -> Tensor:
        return ops.argmax(logits, axis=-1)
