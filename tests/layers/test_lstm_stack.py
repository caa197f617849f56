"""A stack of LSTMs: segments, memories and steps."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, LSTMStack, Memory

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    check_layer(lambda **o: LSTMStack(2, 4, dropout, **o), X, PACKED, shape=(2, 6, 4), has_dropout=dropout > 0)


def test_layers_read_the_output_of_those_below():
    layer = LSTMStack(2, 4)
    found = numbers(forward(layer)(X, PACKED))
    first = numbers(layer.layers[0](X, PACKED))
    wanted = numbers(layer.layers[1](first[..., 4:], PACKED))[..., 4:] * (PACKED > 0)[..., None]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"reverse": True}, {"returns_state": True}])
def test_packed_is_padded(options):
    layer = LSTMStack(2, 4, **options)
    found = numbers(forward(layer)(X, PACKED))
    first, second = numbers(forward(layer)(X[:1, :2])), numbers(forward(layer)(X[:1, 2:5]))
    np.testing.assert_allclose(found[:1, :2], first, atol=1e-6)
    np.testing.assert_allclose(found[:1, 2:5], second, atol=1e-6)


def test_reversed_it_reads_from_the_end():
    layer = LSTMStack(1, 4, reverse=True)
    ahead = LSTMStack(1, 4)
    ahead(X)
    found = numbers(forward(layer)(X[:1, :3]))
    for one, other in zip(ahead.weights, layer.weights, strict=True):
        one.assign(other)
    np.testing.assert_allclose(found[:, ::-1], numbers(forward(ahead)(X[:1, 2::-1])), atol=1e-6)


def test_states_stand_in_the_order_of_reading_and_outputs_at_their_positions():
    layer = LSTMStack(2, 4, reverse=True, returns_state=True)
    found = numbers(forward(layer)(X, PACKED))
    assert found.shape == (2, 6, 20)
    np.testing.assert_allclose(found[0, 2:5, 12:16], found[0, 4:1:-1, 16:], atol=1e-6)
    assert not found[0, 5, 16:].any()


def test_an_example_starts_from_the_end_of_its_memory():
    layer = LSTMStack(2, 4, memory="start")
    states = RANDOM.normal(size=(1, 5, 16)).astype("float32")
    memory = Memory(states, np.array([[1, 1, 2, 2, 0]], "int32"))
    found = numbers(forward(layer)(X[:1], PACKED[:1], memory=memory))
    for number, end in ((1, 1), (2, 3)):
        here = PACKED[0] == number
        alone = Memory(states[:, end : end + 1], np.ones((1, 1), "int32"))
        np.testing.assert_allclose(found[0, here], numbers(forward(layer)(X[:1, here], memory=alone))[0], atol=1e-6)
    elsewhere = Memory(states + 1, memory.segments)
    assert np.abs(numbers(forward(layer)(X[:1], PACKED[:1], memory=elsewhere)) - found)[0, :5].min() > 1e-6


def test_a_memory_in_front_is_read_first():
    layer = LSTMStack(2, 4)
    memory = Memory(X[:1, :3], np.array([[1, 1, 0]], "int32"))
    found = numbers(forward(layer)(X[:1, 3:], np.ones((1, 3), "int32"), memory=memory))
    whole = numbers(forward(layer)(np.concatenate([X[:1, :2], X[:1, 3:]], axis=1)))
    np.testing.assert_allclose(found, whole[:, 2:], atol=1e-6)


@pytest.mark.parametrize("kind", ["start", "front", None])
def test_one_position_after_another_is_all_at_once(kind):
    layer = LSTMStack(2, 4, memory=kind or "front")
    states = RANDOM.normal(size=(2, 3, 16 if kind == "start" else 4)).astype("float32")
    memory = kind and Memory(states, np.array([[1, 1, 0]] * 2, "int32"))
    whole = numbers(forward(layer)(X, memory=memory))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(memory, cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="num_layers: 0 is not positive"):
        LSTMStack(0, 4)
    with pytest.raises(ValueError, match="memory: 'attend' is unknown. There are: start, front"):
        LSTMStack(1, 4, memory="attend")
