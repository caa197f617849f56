"""The base class of searches with one hypothesis for each source."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.decoding.search import Search, State
from kt2t.features import END, PADDING

Tensor = Any


class Single(Search):
    """Base class of searches with one hypothesis for each source. A subclass chooses the next id in `pick`.

    The score of a hypothesis is its log-probability in nats, END included. Ids after END are 0.

    Args:
        extra_length: Decoding stops this many tokens after the source's length.

    Raises:
        ValueError: `extra_length` is negative.
    """

    def __init__(self, extra_length: int = 50) -> None:
        if extra_length < 0:
            raise ValueError(f"extra_length: {extra_length} is negative.")
        self.extra_length = extra_length

    def pick(self, logits: Tensor, position: Tensor, draw: Tensor = 0) -> Tensor:
        """Chooses the next ids (batch,) int32 from logits (batch, vocabulary_size) float32. `draw` as in `begin`."""
        raise NotImplementedError

    def begin(self, batch: Any, length: int, draw: Tensor = 0) -> State:
        return {
            "last": ops.zeros((batch, 1), dtype="int32"),
            "ids": ops.zeros((batch, 1, length), dtype="int32"),
            "scores": ops.zeros((batch, 1), dtype="float32"),
            "ended": ops.zeros((batch, 1), dtype="bool"),
            "draw": ops.cast(draw, "int32"),
        }

    def choose(self, state: State, logits: Tensor, position: Tensor) -> tuple[State, None]:
        logits = ops.squeeze(logits, 1)
        picked = ops.expand_dims(ops.cast(self.pick(logits, position, state["draw"]), "int32"), 1)
        gained = ops.take_along_axis(logits, picked, axis=1) - ops.logsumexp(logits, axis=1, keepdims=True)
        last = ops.where(state["ended"], PADDING, picked)
        chosen = {
            "last": last,
            "ids": ops.slice_update(state["ids"], (0, 0, position), ops.expand_dims(last, 2)),
            "scores": state["scores"] + ops.where(state["ended"], 0.0, gained),
            "ended": ops.logical_or(state["ended"], ops.equal(last, END)),
            "draw": state["draw"],
        }
        return chosen, None

    def is_done(self, state: State, limit: Tensor) -> Tensor:
        return state["ended"][:, 0]

    def result(self, state: State, steps: Tensor) -> tuple[Tensor, Tensor]:
        return state["ids"], state["scores"]
