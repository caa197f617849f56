"""A stack of GRUs: segments, memories and steps."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, GRUStack, Memory

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: GRUStack(2, 4, 0.4, **o), X, PACKED, shape=(2, 6, 4), has_dropout=True)


def test_packed_is_padded_and_every_layer_reads_the_one_below():
    layer = GRUStack(2, 4, returns_state=True, reverse=True)
    found = numbers(forward(layer)(X, PACKED))
    for first, end in ((0, 2), (2, 5)):
        np.testing.assert_allclose(found[:1, first:end], numbers(forward(layer)(X[:1, first:end])), atol=1e-6)
    below = numbers(layer.layers[0](X[1:, ::-1]))
    states = np.concatenate([below, numbers(layer.layers[1](below))], axis=-1)
    np.testing.assert_allclose(found[1:], np.concatenate([states, states[:, ::-1, 4:]], axis=-1), atol=1e-6)


@pytest.mark.parametrize("kind", ["start", "front"])
def test_one_position_after_another_is_all_at_once(kind):
    layer = GRUStack(2, 4, memory=kind)
    states = RANDOM.normal(size=(2, 3, 12 if kind == "start" else 4)).astype("float32")
    memory = Memory(states, np.array([[1, 1, 0]] * 2, "int32"))
    whole = numbers(forward(layer)(X, memory=memory))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(memory, cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)
