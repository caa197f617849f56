"""Which tokens go to which experts, and how their rows get there and back: all of static or of dynamic shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any
Expert = Callable[[Tensor, Tensor], Tensor]


def through_experts(x: Tensor, chosen: Tensor, weights: Tensor, num_experts: int, run: Expert) -> Tensor:
    """Sends each row to the experts that it chose, and returns the weighted sum of their outputs; nothing is dropped.

        y_n = Σ_k weights_nk · expert_{chosen_nk}(x_n)

    The choices are sorted by expert into blocks of equal size. Every block belongs to one expert, and at most a third of
    the rows in blocks are empty, so the experts compute little more than what was chosen.

    Shapes:
        x (rows, dim), chosen (rows, k) int32, weights (rows, k) → (rows, output dim)

    Args:
        chosen: Numbers of experts; `num_experts` for none.
        run: Maps blocks (blocks, block, dim) and the expert of each block (blocks,) int32 to outputs
            (blocks, block, output dim).
    """
    rows, k = ops.shape(chosen)
    choices = rows * k
    block = choices // (2 * num_experts) + 1
    blocks = choices // block + num_experts
    flat = ops.reshape(chosen, (choices,))
    taken = ops.cast(ops.equal(ops.expand_dims(flat, 1), ops.arange(num_experts, dtype="int32")), "int32")
    needed = (ops.sum(taken, axis=0) + (block - 1)) // block  # blocks of each expert
    ends = ops.cumsum(needed)
    place = ops.sum(taken * (ops.expand_dims(block * (ends - needed), 0) + ops.cumsum(taken, axis=0) - taken), axis=1)
    is_chosen = ops.less(flat, num_experts)
    place = ops.where(is_chosen, place, blocks * block)  # what goes to no expert shares one row behind the blocks
    row = ops.arange(choices, dtype="int32") // k + 1  # 0 stands for an empty row
    source = ops.scatter(ops.expand_dims(place, 1), row, (blocks * block + 1,))[: blocks * block]
    padded = ops.pad(x, [[1, 0], [0, 0]])
    gathered = ops.reshape(ops.take(padded, source, axis=0), (blocks, block, x.shape[-1]))
    numbers = ops.expand_dims(ops.arange(blocks, dtype="int32"), 1)
    expert = ops.minimum(ops.sum(ops.cast(numbers >= ops.expand_dims(ends, 0), "int32"), axis=1), num_experts - 1)
    found = run(gathered, expert)
    found = ops.pad(ops.reshape(found, (blocks * block, found.shape[-1])), [[0, 1], [0, 0]])
    found = ops.reshape(ops.take(found, place, axis=0), (rows, k, found.shape[-1]))
    return ops.sum(found * ops.cast(ops.expand_dims(weights, 2), found.dtype), axis=1)


def noisy_top_k(
    clean: Tensor, k: int, deviation: Tensor | None = None, noise: Tensor | None = None, real: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Chooses k experts for each token by noisy logits; computes what balances their use.

        h = clean + noise · deviation,   weights = softmax(the k largest h)
        importance_e = Σ_n weights_ne,   load_e = Σ_n P(e is among the k largest if its noise is drawn again)

    Without noise the load is the number of tokens of each expert.

    Shapes:
        clean, deviation, noise (tokens, experts), real (tokens,) boolean → chosen (tokens, k) int32, weights (tokens, k),
        importance (experts,), load (experts,), all float32 but the first

    Args:
        real: Which tokens get experts; the others choose expert number `experts`, with weight 0.

    Source: Shazeer et al. 2017, equations 3 to 5 and 8 to 10.
    """
    experts = clean.shape[-1]
    logits = clean if noise is None else clean + noise * deviation
    top, chosen = ops.top_k(logits, min(k + 1, experts))
    chosen = ops.cast(chosen[:, :k], "int32")
    weights = ops.softmax(top[:, :k], axis=-1)
    one_hot = ops.one_hot(chosen, experts, dtype="float32")
    if noise is None or deviation is None or k == experts:
        loads = ops.sum(one_hot, axis=1)
    else:
        is_in = ops.greater(logits, top[:, k : k + 1])
        threshold = ops.where(is_in, top[:, k : k + 1], top[:, k - 1 : k])
        loads = 0.5 * (1 + ops.erf((clean - threshold) / (deviation * 2**0.5)))
    if real is not None:
        counted = ops.expand_dims(ops.cast(real, "float32"), 1)
        weights, loads = weights * counted, loads * counted
        chosen = ops.where(ops.expand_dims(real, 1), chosen, experts)
    importance = ops.sum(one_hot * ops.expand_dims(weights, 2), axis=(0, 1))
    return chosen, weights, importance, ops.sum(loads, axis=0)


def squared_variation(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """Computes the squared coefficient of variation, variance / mean², of all values or of those where `counted` is 1.

    Shapes:
        values (…), counted, broadcastable to values, float32 → ()
    """
    counted = ops.ones_like(values) if counted is None else ops.broadcast_to(counted, ops.shape(values))
    total = ops.maximum(ops.sum(counted), 1.0)
    mean = ops.sum(values * counted) / total
    return ops.sum(ops.square(values - mean) * counted) / total / (ops.square(mean) + 1e-10)
