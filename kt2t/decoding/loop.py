"""The loop that all searches share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from kt2t.decoding.search import Search, State

Tensor = Any

# The logit of ids that differ from the prompt.
_FORBIDDEN = -1.0e9


def decode(
    search: Search,
    step: Callable[[Tensor, Tensor, Any], tuple[Tensor, Any]],
    cache: Any,
    batch: Any,
    length: int,
    limit: Any = None,
    prompt: Tensor | None = None,
    draw: Tensor = 0,
) -> tuple[State, Tensor]:
    """Runs a search until it is done or the limit is reached.

    The cache may start with room for fewer than `length` positions, because the time of a step grows with the room. When
    the room is used up, the loop ends, the cache grows, and a second loop continues.

    Args:
        search: Chooses the ids.
        step: `(ids (batch, beams), position, cache) → (logits (batch, beams, vocabulary_size), cache)`.
        cache: The decoder's state: an object with `length`, `flat()`, `at(position, flat)`, `reorder(parents)` and
            `grown(length)`.
        batch: Number of sources.
        length: Final width of the ids.
        limit: Maximum number of steps, up to `length`: a scalar, or (batch,) with one for each source. A source that has
            reached its limit no longer changes while others continue. Default: `length`.
        prompt: (batch, length) int32, ids that the output must begin with; 0 leaves the choice free. They do not change the
            score.
        draw: Passed on to the search; another value draws other random numbers.

    Returns:
        The search's last state, and the number of steps taken.
    """
    limit = ops.cast(length if limit is None else limit, "int32")
    position, state = ops.cast(0, "int32"), search.begin(batch, length, draw)
    for room in sorted({cache.length, length}):
        position, state, cache = advanced(search, step, cache.grown(room), batch, position, state, limit, prompt)
    return state, position


def is_over(search: Search, position: Tensor, state: State, limit: Tensor) -> Tensor:
    """Returns a scalar bool: True if each source is done or at its limit. The arguments are those of `advanced`."""
    return ops.all(ops.logical_or(search.is_done(state, limit), position >= limit))


def advanced(
    search: Search,
    step: Callable[[Tensor, Tensor, Any], tuple[Tensor, Any]],
    cache: Any,
    batch: Any,
    position: Tensor,
    state: State,
    limit: Tensor,
    prompt: Tensor | None = None,
) -> tuple[Tensor, State, Any]:
    """Continues a search until it is over or the cache is full; returns position, state and cache.

    Args:
        position: The number of steps taken, a scalar int32.
        state: The state of the search.
        limit: An int32 tensor, as in `decode`, which also describes the other arguments.
    """
    each_its_own = len(limit.shape) == 1

    def goes_on(position: Tensor, state: State, flat: Any) -> Tensor:
        return ops.logical_and(position < cache.length, ops.logical_not(is_over(search, position, state, limit)))

    def body(position: Tensor, state: State, flat: Any) -> tuple[Tensor, State, Any]:
        logits, now = step(state["last"], position, cache.at(position, flat))
        # A graph with unknown sizes loses the number of rows, but the loop's state must keep its shape.
        logits = ops.reshape(ops.cast(logits, "float32"), (batch, search.beams, logits.shape[-1]))
        if prompt is not None:
            logits = _obeying(prompt, logits, position)
        chosen, parents = search.choose(state, logits, position)
        state = _kept_from(limit, position, state, chosen) if each_its_own else chosen
        if parents is not None:
            now.reorder(parents)
        return position + 1, state, now.flat()

    position, state, flat = ops.while_loop(goes_on, body, (position, state, cache.flat()))
    return position, state, cache.at(position, flat)


def _kept_from(limit: Tensor, position: Tensor, before: State, chosen: State) -> State:
    """Returns the state `chosen`, but the state `before` for each source that has reached its `limit` (batch,)."""

    def choose(new: Tensor, old: Tensor) -> Tensor:
        rank = len(new.shape)
        return ops.where(ops.reshape(position < limit, (-1, *[1] * (rank - 1))), new, old) if rank else new

    return {name: choose(value, before[name]) for name, value in chosen.items()}


def _obeying(prompt: Tensor, logits: Tensor, position: Tensor) -> Tensor:
    """Lowers the logits of all ids but the prompt's, at positions where the prompt has an id."""
    wanted = ops.expand_dims(ops.take(prompt, ops.reshape(position, (1,)), axis=1), -1)
    ids = ops.arange(logits.shape[-1], dtype="int32")
    allowed = ops.logical_or(ops.equal(wanted, 0), ops.equal(wanted, ids))
    return ops.where(allowed, logits, _FORBIDDEN)
