"""The one loop of all decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from kt2t.decoding.search import Search, State

Tensor = Any

# What a logit becomes where the prompt says another id.
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
    """Runs a search to its end: one loop, or one behind the other where the cache grows.

    Args:
        search: How ids are chosen.
        step: `(ids (batch, beams), position, cache) → (logits (batch, beams, vocabulary_size), cache)`.
        cache: What the step remembers: anything with `length`, `flat()`, `at(position, flat)`, `reorder(parents)` and
            `grown(length)`. If it has room for less than `length`, it grows when that is used up, because a step costs
            time for all the room there is.
        batch: Number of sources.
        length: Final width of the ids.
        limit: Steps at most, a scalar up to `length`, which it is unless given.
        prompt: (batch, length) int32, ids that a sequence must have; 0 leaves the choice free. They cost nothing.
        draw: Whatever the search draws is another for each.

    Returns:
        The search's last state and the number of steps taken.
    """
    limit = ops.cast(length if limit is None else limit, "int32")

    def goes_on(position: Tensor, state: State, flat: Any) -> Tensor:
        in_room = position < ops.minimum(limit, cache.length)
        return ops.logical_and(in_room, ops.logical_not(search.is_done(state, limit)))

    def body(position: Tensor, state: State, flat: Any) -> tuple[Tensor, State, Any]:
        logits, now = step(state["last"], position, cache.at(position, flat))
        # A graph of relaxed shapes loses the number of rows, and the loop wants its state to keep its shape.
        logits = ops.reshape(ops.cast(logits, "float32"), (batch, search.beams, logits.shape[-1]))
        if prompt is not None:
            logits = _obeying(prompt, logits, position)
        state, parents = search.choose(state, logits, position)
        if parents is not None:
            now.reorder(parents)
        return position + 1, state, now.flat()

    position, state = ops.cast(0, "int32"), search.begin(batch, length, draw)
    for room in sorted({cache.length, length}):
        cache = cache.grown(room)
        position, state, flat = ops.while_loop(goes_on, body, (position, state, cache.flat()))
        cache = cache.at(position, flat)
    return state, position


def _obeying(prompt: Tensor, logits: Tensor, position: Tensor) -> Tensor:
    """Logits that leave only the prompt's id where it has one."""
    wanted = ops.expand_dims(ops.take(prompt, ops.reshape(position, (1,)), axis=1), -1)
    ids = ops.arange(logits.shape[-1], dtype="int32")
    allowed = ops.logical_or(ops.equal(wanted, 0), ops.equal(wanted, ids))
    return ops.where(allowed, logits, _FORBIDDEN)
