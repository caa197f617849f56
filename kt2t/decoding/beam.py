"""Beam search."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.decoding.search import Search, State
from kt2t.features import END
from kt2t.ops.beams import gather_beams
from kt2t.registry import register

Tensor = Any

# Log-probability of a hypothesis that does not exist. Values below half of it mean the same.
_NONE = -1.0e7


@register
class Beam(Search):
    """Beam search: keeps the most probable running hypotheses of each source, and separately the best finished ones.

        score = log p(sequence) / ((5 + n) / 6) ^ length_penalty,   n = number of tokens, END included

    Each step considers the 2 · beams best continuations, so that at least `beams` of them are unfinished. A finished
    hypothesis is never scored past its end. The search of a source stops when the worst of its `n_best` best finished
    hypotheses (without `early_stopping`: the worst of all kept ones) scores higher than any running one still can. The
    hypotheses returned, and their order, therefore do not depend on the other sources of a batch.

    Shapes:
        logits (batch, beams, vocabulary_size) → ids (batch, n_best, time), scores (batch, n_best), best first

    Args:
        beams: Number of hypotheses kept for each source.
        length_penalty: 0 compares plain log-probabilities; larger values favour longer sequences. Must not be negative,
            because the bound that stops the search relies on this.
        n_best: Number of hypotheses returned for each source.
        early_stopping: Whether to stop when the `n_best` best hypotheses are certain. False continues until all kept hypotheses
            are certain.
        extra_length: Decoding stops this many tokens after the source's length.

    Raises:
        ValueError: A count is not positive, `n_best` is larger than `beams`, or `length_penalty` is negative.

    Source: Wu et al. 2016, section 7 (the penalty); Tensor2Tensor's beam search. Departs: if fewer than `n_best`
    hypotheses are finished, running ones follow, with the same penalty; Tensor2Tensor returns empty ones, or scores without
    the penalty if none is finished. If the vocabulary is smaller than the beams, no hypothesis is returned twice. The
    search waits until all `n_best` hypotheses are certain; Tensor2Tensor stops at the first certain one.
    """

    def __init__(
        self,
        beams: int = 4,
        length_penalty: float = 0.6,
        n_best: int = 1,
        early_stopping: bool = True,
        extra_length: int = 50,
    ) -> None:
        if beams < 1:
            raise ValueError(f"beams: {beams} is not positive.")
        if not 1 <= n_best <= beams:
            raise ValueError(f"n_best: {n_best} of {beams} beams cannot be returned. Choose 1 to {beams}.")
        if length_penalty < 0:
            raise ValueError(
                f"length_penalty: {length_penalty} is negative. Use 0, which favours short answers the most, or more."
            )
        if extra_length < 0:
            raise ValueError(f"extra_length: {extra_length} is negative.")
        self.beams = beams
        self.length_penalty = length_penalty
        self.n_best = n_best
        self.early_stopping = early_stopping
        self.extra_length = extra_length

    def begin(self, batch: Any, length: int, draw: Tensor = 0) -> State:
        shape = (batch, self.beams)
        first = ops.cast(ops.arange(self.beams) > 0, "float32") * _NONE
        return {
            "last": ops.zeros(shape, dtype="int32"),
            "ids": ops.zeros((*shape, length), dtype="int32"),
            "log_probs": ops.zeros(shape, dtype="float32") + first,
            "ended_ids": ops.zeros((*shape, length), dtype="int32"),
            "ended_scores": ops.zeros(shape, dtype="float32") + _NONE,
        }

    def choose(self, state: State, logits: Tensor, position: Tensor) -> tuple[State, Tensor]:
        candidates, parents = self._candidates(state, logits, position)
        running, index = ops.top_k(ops.where(candidates["ends"], _NONE, candidates["log_probs"]), self.beams)
        ends = ops.logical_and(candidates["ends"], candidates["log_probs"] > _NONE / 2)
        ended_scores = ops.concatenate(
            [state["ended_scores"], ops.where(ends, candidates["scores"], 2 * _NONE)], axis=1
        )
        ended_ids = ops.concatenate([state["ended_ids"], candidates["ids"]], axis=1)
        ended_scores, ended_index = ops.top_k(ended_scores, self.beams)
        chosen = {
            "last": gather_beams(candidates["last"], index),
            "ids": gather_beams(candidates["ids"], index),
            "log_probs": running,
            "ended_ids": gather_beams(ended_ids, ended_index),
            "ended_scores": ended_scores,
        }
        return chosen, gather_beams(parents, index)

    def is_done(self, state: State, limit: Tensor) -> Tensor:
        reachable = state["log_probs"][:, 0] / self._penalty(limit)
        scores = state["ended_scores"]
        certain = scores[:, self.n_best - 1] if self.early_stopping else scores[:, -1]
        return certain > reachable

    def result(self, state: State, steps: Tensor) -> tuple[Tensor, Tensor]:
        running = state["log_probs"] / ops.reshape(self._penalty(steps), (-1, 1))
        scores = ops.concatenate([state["ended_scores"], running], axis=1)
        ids = ops.concatenate([state["ended_ids"], state["ids"]], axis=1)
        ended = ops.sum(ops.cast(state["ended_scores"] > _NONE / 2, "int32"), axis=1, keepdims=True)
        place = ops.expand_dims(ops.arange(self.n_best, dtype="int32"), 0)
        index = ops.where(place < ended, place, place - ended + self.beams)
        return gather_beams(ids, index), gather_beams(scores, index)

    def _candidates(self, state: State, logits: Tensor, position: Tensor) -> tuple[State, Tensor]:
        """Returns the 2 · beams best continuations of each source, and the beam that each continues."""
        vocabulary_size = logits.shape[-1]
        log_probs = ops.log_softmax(logits, axis=-1) + ops.expand_dims(state["log_probs"], 2)
        log_probs = ops.reshape(log_probs, (-1, self.beams * vocabulary_size))
        log_probs, index = ops.top_k(log_probs, 2 * self.beams)
        index = ops.cast(index, "int32")
        parents, last = index // vocabulary_size, index % vocabulary_size
        ids = ops.slice_update(gather_beams(state["ids"], parents), (0, 0, position), ops.expand_dims(last, 2))
        candidates = {
            "last": last,
            "ids": ids,
            "log_probs": log_probs,
            "scores": log_probs / self._penalty(position + 1),
            "ends": ops.equal(last, END),
        }
        return candidates, parents

    def _penalty(self, tokens: Tensor) -> Tensor:
        return ops.power((5.0 + ops.cast(tokens, "float32")) / 6.0, self.length_penalty)
