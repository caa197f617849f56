"""The base class of searches. A search chooses the next ids; the loop and the model are the same for all searches."""

from __future__ import annotations

from typing import Any

Tensor = Any
State = dict[str, Tensor]


class Search:
    """Base class: chooses the next id of every hypothesis. Its state is a dict of tensors that the loop carries.

    `state["last"]` (batch, beams) int32 holds the ids that the model reads next. Every sequence starts with id 0. The first
    axis of every tensor in the state is the batch, so that the loop can keep a source unchanged after its limit; scalars
    are shared by all sources.

    Attributes:
        beams: Number of hypotheses kept for each source.
        extra_length: Decoding stops this many positions after the source's length.
    """

    beams: int = 1
    extra_length: int = 50

    def begin(self, batch: Any, length: int, draw: Tensor = 0) -> State:
        """Returns the state before the first step.

        Args:
            batch: Number of sources.
            length: Final width of every array of ids.
            draw: A scalar int32; another value draws other random numbers.
        """
        raise NotImplementedError

    def choose(self, state: State, logits: Tensor, position: Tensor) -> tuple[State, Tensor | None]:
        """Makes one step; returns the new state and the beam that each beam continues (None if each continues itself).

        Shapes:
            logits (batch, beams, vocabulary_size) float32
        """
        raise NotImplementedError

    def is_done(self, state: State, limit: Tensor) -> Tensor:
        """Returns a bool per source (batch,): True if no further step can change its result.

        Args:
            limit: The maximum number of steps: a scalar, or one for each source, (batch,).
        """
        raise NotImplementedError

    def result(self, state: State, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the best sequences: ids (batch, n_best, length) int32 and scores (batch, n_best).

        Args:
            steps: The number of steps taken: a scalar, or one for each source, (batch,).
        """
        raise NotImplementedError
