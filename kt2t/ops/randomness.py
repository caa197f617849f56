"""Randomness in training as a function of the step, not a state.

The trainer opens a `root` for each step, and a layer asks it for a seed. The seed is computed from (run seed, step,
replica, micro-batch, the layer's attribute path, number of draws of this layer in this root). So a step draws the same
numbers after a restart, and no two layers or calls draw the same numbers.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from kt2t.ops.paths import layer_paths

Tensor = Any
_OTHER_STREAM = 0x2545F491
_TURNS = 0x1E3779B1  # odd, so that turns below 2^32 differ; large, so that turns are not the numbers of other steps


class Seed(keras.random.SeedGenerator):
    """One fixed seed that every function of `keras.random` accepts. Draws with the same seed are equal.

    Shapes:
        value (2,) int32, on JAX uint32
    """

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def next(self, ordered: bool = True) -> Tensor:
        return self.value


class _Root:
    def __init__(self, seed: int, place: Tensor, calls: Counter[str] | None = None) -> None:
        self.seed = seed
        self.place = place
        self.calls: Counter[str] = Counter() if calls is None else calls


_open: ContextVar[_Root | None] = ContextVar("kt2t_randomness", default=None)


@contextlib.contextmanager
def root(seed: int, step: Any, replica: Any = 0, micro_batch: Any = 0) -> Iterator[None]:
    """Makes all random draws inside the `with` block depend only on these four numbers.

    Args:
        seed: The run's seed.
        step: The optimizer's step; a number or a scalar tensor.
        replica: The replica's index, below 32,768; a number or a scalar tensor.
        micro_batch: The micro-batch's index, below 65,536; a number or a scalar tensor.
    """
    part = ops.cast(replica, "int32") * 65536 + ops.cast(micro_batch, "int32")
    place = ops.cast(ops.stack([ops.cast(step, "int32"), part]), _dtype())
    token = _open.set(_Root(int(seed), place))
    try:
        yield
    finally:
        _open.reset(token)


def layer_seed(layer: keras.layers.Layer) -> Seed | None:
    """Returns the layer's next seed in the open root, for use with `keras.random`. None if no root is open.

    Layers without a path from `name_layers` are told apart by the order in which they draw.
    """
    current = _open.get()
    if current is None:
        return None
    key = getattr(layer, "_kt2t_path", "?")
    call = current.calls[key]
    current.calls[key] += 1
    digest = hashlib.blake2b(f"{current.seed}/{key}/{call}".encode(), digest_size=8).digest()
    signed = _dtype() == "int32"
    words = [int.from_bytes(digest[at : at + 4], "little", signed=signed) for at in (0, 4)]
    return Seed(ops.bitwise_xor(current.place, ops.convert_to_tensor(words, dtype=_dtype())))


def kept(shape: Sequence[Any], rate: float, seed: keras.random.SeedGenerator) -> Tensor:
    """Draws the mask of a dropout: True, with probability 1 - `rate`, where an element is kept.

    One random byte per element decides. A byte has only 256 levels, so one float per row of the last axis adjusts the
    threshold, which makes the rate exact. On a CPU this costs half as much as one uniform float per element.

    Shapes:
        → shape, boolean

    Args:
        shape: Numbers or scalar tensors.
        rate: Probability of dropping, from 0 to below 1.
        seed: A seed from `layer_seed`, or a Keras seed generator.
    """
    value = seed.next()
    *rows, length = shape
    rare = min(rate, 1.0 - rate) * 256
    words = keras.random.randint((*rows, (length + 3) // 4, 1), -(2**31), 2**31 - 1, dtype="int32", seed=Seed(value))
    bytes_ = ops.reshape(ops.view(words, "uint8"), (*rows, (length + 3) // 4 * 4))[..., :length]
    other = Seed(ops.bitwise_xor(value, ops.cast(_OTHER_STREAM, value.dtype)))
    finer = ops.less(keras.random.uniform((*rows, 1), dtype="float32", seed=other), rare - int(rare))
    hit = ops.less(bytes_, ops.cast(int(rare) + ops.cast(finer, "int32"), "uint8"))
    return hit if rate > 0.5 else ops.logical_not(hit)


def name_layers(model: keras.layers.Layer) -> None:
    """Stores in every layer below `model` its attribute path, from which its seeds are computed."""
    for path, layer in layer_paths(model).items():
        layer._kt2t_path = path


def repeatable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a function so that it draws the same random numbers each time it runs, as recomputation needs.

    The wrapper remembers the root that is open now and how often each layer has drawn in it. With no root open,
    `function` is returned unchanged. On TensorFlow each draw waits for the first argument, if there is one. Otherwise the
    graph optimizer would merge the masks of the forward pass and of the recomputation, and keep them in memory.

    Args:
        function: Takes tensors, the first of them floating, or nothing.
    """
    current = _open.get()
    if current is None:
        return function
    before = Counter(current.calls)

    @functools.wraps(function)
    def again(*args: Any, **kwargs: Any) -> Any:
        place = _behind(args[0], current.place) if args else current.place
        here = _Root(current.seed, place, Counter(before))
        token = _open.set(here)
        try:
            return function(*args, **kwargs)
        finally:
            _open.reset(token)
            current.calls |= here.calls

    return again


def in_turn(body: Callable[..., Any], generator: keras.random.SeedGenerator | None = None) -> Callable[..., Any]:
    """Wraps the body of a loop, which is traced once, so that each turn draws other random numbers.

    Call it outside the loop, with the body's first argument the number of the turn. With no root open, the seed comes from
    `generator`, which advances once for the whole loop.

    Args:
        body: Takes the number of the turn, from 0, and further arguments.
        generator: Needed if the body draws where no root is open.
    """
    current = _open.get()
    if current is None:
        if generator is None:
            return body
        current = _Root(0, ops.cast(generator.next(), _dtype()))
    before = Counter(current.calls)

    @functools.wraps(body)
    def turn(number: Tensor, *args: Any) -> Any:
        own = ops.cast(ops.cast(number, "int32") + 1, _dtype()) * ops.cast(_TURNS, _dtype())
        here = _Root(current.seed, ops.bitwise_xor(current.place, own), Counter(before))
        token = _open.set(here)
        try:
            return body(number, *args)
        finally:
            _open.reset(token)
            current.calls |= here.calls

    return turn


def is_open() -> bool:
    """Returns True if a root is open, so that random draws depend only on the step."""
    return _open.get() is not None


def step() -> Tensor | None:
    """Returns the step of the open root, () int32; None if no root is open."""
    current = _open.get()
    return None if current is None else ops.cast(current.place[0], "int32")


def _behind(x: Tensor, place: Tensor) -> Tensor:
    """Makes `place` depend on `x`, so that it is computed later. JAX does this itself for recomputations."""
    if keras.backend.backend() != "tensorflow":
        return place
    first = ops.sum(ops.reshape(x, (-1,))[:1])
    never = ops.logical_and(ops.isnan(first), ops.isfinite(first))  # always false, but the graph optimizer cannot tell
    return place + ops.cast(never, place.dtype)


def _dtype() -> str:
    return "uint32" if keras.backend.backend() == "jax" else "int32"
