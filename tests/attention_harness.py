"""What every kind of self attention must do, whatever it looks at: an oracle pair by pair, packed rows, decoding.

The oracle is the formula for one example in NumPy; a kind says which pairs see each other and what is added to a logit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import ON_JAX, numbers, stateless
from keras import ops

from kt2t.layers import Cache
from kt2t.ops.masks import SegmentMask


def sequence(time: int, dim: int = 8, rows: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, time, dim)).astype("float32")


def rule(time: int, rows: int = 2, causal: bool = True) -> SegmentMask:
    """The mask of rows without padding."""
    return SegmentMask(ops.ones((rows, time), dtype="int32"), causal)


def by_pairs(
    layer: Any,
    x: np.ndarray,
    sees: Callable[[int, int], bool],
    added: Callable[[int, int, int, np.ndarray], float] = lambda head, i, j, q: 0.0,
) -> np.ndarray:
    """Attention of rows of one example each, pair by pair; `added(head, i, j, q_i)` joins the logit."""
    if not layer.built:
        layer.build(x.shape)
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    out = []
    for row in x:
        parts = []
        for head in range(layer.num_heads):
            q, k, v = (np.split(row @ kernel[name], layer.num_heads, -1)[head] for name in ("query", "key", "value"))
            q = q / np.sqrt(q.shape[-1])
            means = np.zeros((len(row), v.shape[-1]))
            for i in range(len(row)):
                seen = [j for j in range(len(row)) if sees(i, j)]
                logits = np.array([q[i] @ k[j] + added(head, i, j, q[i]) for j in seen])
                weights = np.exp(logits - logits.max())
                means[i] = weights / weights.sum() @ v[seen]
            parts.append(means)
        out.append(np.concatenate(parts, -1) @ kernel["output_projection"])
    return np.stack(out)


def attended(layer: Any, x: np.ndarray, causal: bool = True, segments: np.ndarray | None = None) -> np.ndarray:
    """What the layer computes of rows with the given segments, by default of one example each."""
    if not layer.built:
        layer.build(x.shape)
    segments = np.ones(x.shape[:2], "int32") if segments is None else segments
    return numbers(_compiled(layer, lambda x, of: layer(x, mask=SegmentMask(of, causal)))(x, segments))


def check_packed(layer: Any, lengths: tuple[int, ...], causal: bool, atol: float = 1e-5) -> None:
    """Examples of a packed row, with padding behind, are as in rows of their own, which padding fills up."""
    width = sum(lengths) + 3
    x = sequence(width, rows=1, seed=1)
    segments, apart = np.zeros((1, width), "int32"), np.zeros((len(lengths), width), "int32")
    rows = np.random.default_rng(2).normal(size=(len(lengths), *x.shape[1:])).astype("float32")
    start = 0
    for row, length in enumerate(lengths):
        segments[0, start : start + length] = row + 1
        apart[row, :length] = 1
        rows[row, :length] = x[0, start : start + length]
        start += length
    packed, padded = (attended(layer, *given) for given in ((x, causal, segments), (rows, causal, apart)))
    alone = np.concatenate([padded[row, :length] for row, length in enumerate(lengths)])
    np.testing.assert_allclose(packed[0, :start], alone, atol=atol)
    first = attended(layer, x[:, : lengths[0]], causal)
    np.testing.assert_allclose(padded[:1, : lengths[0]], first, atol=atol)


def check_steps(layer: Any, x: np.ndarray, beams: int = 3, atol: float = 1e-5) -> dict[str, Any]:
    """One position after another is all at once, while beams change places; returns the entries of the cache.

    Beam 0 follows x; the others follow x reversed in its channels, and all continue beam 0 from the middle on.
    """
    rows, time, _ = x.shape
    other = x[..., ::-1].copy()
    changed = np.concatenate([x[:, : time // 2], other[:, time // 2 :]], axis=1)
    wanted = [attended(layer, given) for given in (x, other, changed)]
    cache = Cache(batch=rows, length=time + 2, beams=beams)
    layer.reserve(cache.child("it"))

    def step(given: Any, position: Any, flat: Any, parents: Any) -> Any:
        now = cache.at(position, flat)
        found = layer(given, mask=now.visible(), cache=now.child("it"))
        now.reorder(parents)
        return found, now.flat()

    step, flat = _compiled(layer, step), cache.flat()
    for position in range(time):
        given = np.repeat(other[:, position : position + 1], beams, axis=1)
        given[:, 0] = x[:, position]
        parents = np.zeros(beams) if position == time // 2 - 1 else np.arange(beams)
        parents = np.tile(parents.astype("int32"), (rows, 1))
        found, flat = step(given, np.asarray(position, "int32"), flat, parents)
        for beam in range(beams):
            expected = wanted[0] if beam == 0 else wanted[2 if position >= time // 2 else 1]
            np.testing.assert_allclose(
                numbers(found)[:, beam], expected[:, position], atol=atol, err_msg=f"{position} {beam}"
            )
    return flat


def _compiled(layer: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one computation on JAX, where an eager call compiles each operation by itself."""
    if not ON_JAX:
        return function
    return stateless(layer, function)
