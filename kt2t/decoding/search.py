"""What a search is: how the next ids are chosen, while the loop and the model stay the same."""

from __future__ import annotations

from typing import Any

Tensor = Any
State = dict[str, Tensor]


class Search:
    """Chooses the next id of every hypothesis. Its state is a dict of tensors that crosses the loop.

    `state["last"]` (batch, beams) int32 is what the model reads next; the id 0 starts every sequence. The first axis of
    every tensor in the state is the batch, so that the loop can leave a source as it is once its limit is reached;
    scalars are shared by all sources.

    Attributes:
        beams: Hypotheses of one source that are kept.
        extra_length: Positions beyond the source's length after which decoding stops.
    """

    beams: int = 1
    extra_length: int = 50

    def begin(self, batch: Any, length: int, draw: Tensor = 0) -> State:
        """The state before the first step.

        Args:
            batch: Number of sources.
            length: The final width of every array of ids.
            draw: Whatever is random is another for each; a scalar int32.
        """
        raise NotImplementedError

    def choose(self, state: State, logits: Tensor, position: Tensor) -> tuple[State, Tensor | None]:
        """The state after one step, and for each beam (batch, beams) the one it continues; None if itself.

        Shapes:
            logits (batch, beams, vocabulary_size) float32
        """
        raise NotImplementedError

    def is_done(self, state: State, limit: Tensor) -> Tensor:
        """For each source whether no further step can change its result, (batch,) bool.

        Args:
            limit: The largest number of steps: a scalar, or one for each source, (batch,).
        """
        raise NotImplementedError

    def result(self, state: State, steps: Tensor) -> tuple[Tensor, Tensor]:
        """The best sequences: ids (batch, n_best, length) int32 and scores (batch, n_best).

        Args:
            steps: The number of steps taken: a scalar, or one for each source, (batch,).
        """
        raise NotImplementedError
