"""A decoder that is fed what it saw, against its equations step by step."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, forward, numbers

from kt2t.layers import (
    Attention,
    BahdanauAttention,
    Cache,
    GRUStack,
    InputFeedingStack,
    LSTMStack,
    LuongAttention,
    Memory,
    capture,
)
from kt2t.ops import randomness

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
SOURCES = np.array([[1, 1, 1, 2, 2], [1, 1, 1, 0, 0]], "int32")


def memory_of(layer, dim=3):
    return Memory(RANDOM.normal(size=(2, 5, layer.stack.state_dim + dim)).astype("float32"), SOURCES)


def made(stack=None, attention=None, **options):
    return InputFeedingStack(stack or LSTMStack(2, 4), attention or BahdanauAttention(), **options)


@pytest.mark.skipif(ON_JAX, reason="a symbolic batch does not go with a memory of numbers; the models have both")
def test_it_is_a_layer_like_any():
    make = lambda **o: made(GRUStack(2, 4, 0.4), LuongAttention(2, 3), **o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 6, 4), memory=memory_of(make()), has_dropout=True, bfloat16=False)


def test_it_is_the_equations():
    layer = made(attention=BahdanauAttention(2, 3))
    memory = memory_of(layer)
    found = numbers(forward(layer)(X, PACKED, memory=memory))
    states, values = np.split(memory.states, [16], axis=-1)
    for row, first, end, begin, last in ((0, 0, 2, 0, 3), (0, 2, 5, 3, 5), (1, 0, 6, 0, 3)):
        lower, upper = np.split(states[row : row + 1, last - 1], 2, axis=-1)
        fed = np.zeros((1, 6), "float32")
        for time in range(first, end):
            lower = layer.stack.layers[0].advance(np.concatenate([X[row : row + 1, time], fed], axis=-1), lower)
            upper = layer.stack.layers[1].advance(numbers(lower)[:, 4:], upper)
            query = numbers(upper)[:, None, 4:]
            fed = numbers(layer.attention(query, values[row : row + 1, begin:last]))[:, 0]
            wanted = fed @ numbers(layer.output_projection.kernel) + numbers(layer.output_projection.bias)
            np.testing.assert_allclose(found[row, time], wanted[0], atol=1e-5)


@pytest.mark.parametrize("include_padding", [False, True])
def test_one_position_after_another_is_all_at_once(include_padding):
    layer = made(attention=LuongAttention(), include_padding=include_padding)
    memory = memory_of(layer)
    memory = Memory(memory.states, (memory.segments == 1).astype("int32"))
    whole = numbers(forward(layer)(X, memory=memory))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(memory, cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_padding_is_zero_vectors_if_it_is_included():
    layer = made(attention=LuongAttention(), include_padding=True)
    memory = memory_of(layer)
    padded = Memory(memory.states, (np.arange(5) < 3).astype("int32")[None].repeat(2, 0))
    states = memory.states.copy()
    found = numbers(forward(layer)(X, memory=padded))
    states[:, 3:, layer.stack.state_dim :] = 0
    states[:, 4] = states[:, 2]
    states[:, 4, layer.stack.state_dim :] = 0
    whole = Memory(states, np.ones((2, 5), "int32"))
    np.testing.assert_allclose(found, numbers(forward(layer)(X, memory=whole)), atol=1e-6)
    plain = made(attention=LuongAttention())
    plain(X, memory=padded)
    for one, other in zip(plain.weights, layer.weights, strict=True):
        one.assign(other)
    assert np.abs(numbers(plain(X, memory=padded)) - found).max() > 1e-3


def test_dropout_differs_from_position_to_position():
    """A draw inside of the loop would be the same at each: then equal inputs would go on from equal states alike."""
    layer = made(GRUStack(1, 4, 0.5), LuongAttention())
    layer(X, memory=memory_of(layer))
    for weight in layer.stack.layers[0].weights[1:]:
        weight.assign(np.zeros(weight.shape))  # no state but what the input gives
    layer.attention.output_projection.kernel.assign(np.eye(7, 4))
    layer.stack.layers[0].kernel.assign(np.concatenate([RANDOM.normal(size=(4, 12)), np.zeros((4, 12))]))
    randomness.name_layers(layer)
    memory = Memory(np.zeros((2, 5, 7), "float32"), np.ones((2, 5), "int32"))
    with randomness.root(5, 3):
        found = numbers(layer(np.ones((2, 6, 4), "float32"), memory=memory, training=True))
    assert len(np.unique(np.round(found[0], 5), axis=0)) == 6


def test_a_capture_sees_the_weights_of_every_step():
    layer = made(attention=LuongAttention())
    memory = memory_of(layer)
    layer(X, PACKED, memory=memory)
    with capture("attention") as shown:
        layer(X, PACKED, memory=memory)
    (weights,) = shown.values()
    assert weights.shape == (2, 1, 6, 5)
    seen = (PACKED[:, :, None] == SOURCES[:, None]) & (SOURCES[:, None] > 0)
    real = PACKED > 0
    np.testing.assert_array_equal(weights[:, 0][real] > 0, seen[real])


def test_refusals():
    with pytest.raises(ValueError, match="attention: Attention is no attention of a recurrent decoder. Use Bahdanau"):
        made(attention=Attention(2))
    with pytest.raises(ValueError, match="stack: Attention is no stack"):
        made(stack=Attention(2))
    with pytest.raises(ValueError, match="memory: InputFeedingStack attends to a memory"):
        made()(X)
    with pytest.raises(ValueError, match="memory: the encoder returns 15 numbers"):
        made()(X, memory=memory_of(made(), -1))
    with pytest.raises(ValueError, match="returns its states and no outputs"):
        made()(X, memory=memory_of(made(), 0))
