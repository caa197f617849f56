"""Randomness in training as a function of the step, not a state.

The trainer opens a `root` for a step; a layer asks it for its own seed. The seed is derived from (run seed, step,
replica, micro-batch, the layer's attribute path, how many times that layer has drawn in this root), so that a step
draws the same after a restart, and no two layers or calls draw the same.
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


class Seed(keras.random.SeedGenerator):
    """One fixed seed in the form that every function of `keras.random` takes: what is drawn with it is always the same.

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
    """Makes everything random inside a function of these four numbers.

    Args:
        seed: The run's.
        step: Of the optimizer; a number or a scalar tensor.
        replica: Below 32,768; a number or a scalar tensor.
        micro_batch: Below 65,536; a number or a scalar tensor.
    """
    part = ops.cast(replica, "int32") * 65536 + ops.cast(micro_batch, "int32")
    place = ops.cast(ops.stack([ops.cast(step, "int32"), part]), _dtype())
    token = _open.set(_Root(int(seed), place))
    try:
        yield
    finally:
        _open.reset(token)


def layer_seed(layer: keras.layers.Layer) -> Seed | None:
    """The layer's next seed in the open root, usable as `seed` of any `keras.random` function; None with no root open.

    A layer that `name_layers` has not reached is known by the order in which such layers draw.
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
    """Which elements dropout keeps: each with probability 1 - `rate`.

    A random byte an element decides, and one fine number for a row of the last axis settles what 256 levels cannot
    say, so that the rate is exact. On a CPU this costs half of a uniform float an element.

    Shapes:
        → shape, boolean

    Args:
        shape: Numbers or scalar tensors.
        rate: From 0 to below 1.
        seed: What `layer_seed` gave, or a Keras generator.
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
    """Tells every layer below `model` its attribute path, which its seeds are derived from."""
    for path, layer in layer_paths(model).items():
        layer._kt2t_path = path


def repeatable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that draws the same each time it runs, as recomputation on the way back must.

    It keeps the root that is open now, and how often each layer has drawn in it; with no root open it is `function`
    itself. On TensorFlow a draw waits for the first argument, if there is one: else the graph would draw everything at
    its beginning, and keep what the first run drew for the second.

    Args:
        function: Of tensors, the first of them floating, or of nothing.
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


def is_open() -> bool:
    """Whether there is a root, so that what is drawn is a function of the step."""
    return _open.get() is not None


def _behind(x: Tensor, place: Tensor) -> Tensor:
    """`place`, not to be had before `x`. JAX does this by itself, for all that a recomputation reads."""
    if keras.backend.backend() != "tensorflow":
        return place
    first = ops.sum(ops.reshape(x, (-1,))[:1])
    never = ops.logical_and(ops.isnan(first), ops.isfinite(first))  # nothing a graph optimizer knows to be false
    return place + ops.cast(never, place.dtype)


def _dtype() -> str:
    return "uint32" if keras.backend.backend() == "jax" else "int32"
