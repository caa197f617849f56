"""A decoder that reads the memory's state at its own position."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import AlignedDecoder, Cache, DilatedConvolution, Memory

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
STATES = RANDOM.normal(size=(2, 5, 3)).astype("float32")
PACKED = np.array([[1, 1, 1, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
SOURCE = np.array([[1, 1, 2, 2, 2], [1, 1, 1, 0, 0]], "int32")
# The place in the memory's row that each position reads, or None beyond the end of its example there.
PLACES = [[0, 1, None, 2, 3, None], [0, 1, 2, None, None, None]]


def decoder(**options):
    return AlignedDecoder(DilatedConvolution(5, 2), DilatedConvolution(4, 3), **options)


@pytest.mark.skipif(ON_JAX, reason="ByteNet has it, and golden numbers on JAX")
def test_it_is_a_layer_like_any():
    make = lambda **o: decoder(**o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 6, 4), memory=Memory(STATES, SOURCE))


def test_each_position_reads_the_state_at_its_own():
    layer = decoder()
    found = numbers(layer(X, PACKED, memory=Memory(STATES, SOURCE)))
    beside = np.zeros((2, 6, 3), "float32")
    for row, places in enumerate(PLACES):
        for time, place in enumerate(places):
            if place is not None:
                beside[row, time] = STATES[row, place]
    together = np.concatenate([beside, X], axis=2)
    np.testing.assert_allclose(found, numbers(layer.upper(layer.lower(together, PACKED), PACKED)), atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = decoder()
    memory = Memory(STATES, np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32"))
    whole = numbers(layer(X, memory=memory))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(memory, cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_refusals():
    with pytest.raises(
        ValueError, match="memory: AlignedDecoder reads a memory beside its sequence, and there is none"
    ):
        decoder()(X)
    with pytest.raises(ValueError, match="lower: 3 is no layer"):
        AlignedDecoder(3, DilatedConvolution(4))
