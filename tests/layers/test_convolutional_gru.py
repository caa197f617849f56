"""A convolutional GRU against its formula, over packed rows, and step by step."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import Cache, ConvolutionalGRU, Memory
from kt2t.ops.paths import attribute_paths

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 6)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")
WEIGHTS = {
    f"{part}.{leaf}": shape
    for part in ("reset", "update", "candidate")
    for leaf, shape in (("kernel", (3, 6, 6)), ("bias", (6,)))
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolved(x: np.ndarray, layer, left: int = 1) -> np.ndarray:
    """The convolution of one example (time, dim), tap by tap."""
    kernel, time = numbers(layer.kernel), len(x)
    around = np.pad(x, [(left, len(kernel) - 1 - left), (0, 0)])
    return sum(around[tap : tap + time] @ weights for tap, weights in enumerate(kernel)) + numbers(layer.bias)


def shaken(layer, scale=0.6):
    """The layer with every weight drawn, biases included."""
    layer(X)
    random = np.random.default_rng(1)
    for weight in attribute_paths(layer).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * scale)
    return layer


@pytest.mark.parametrize("padding", ["same", "causal"])
def test_it_is_a_layer_like_any(padding):
    layer = check_layer(lambda **o: ConvolutionalGRU(6, 3, padding, **o), X, PACKED, shape=(2, 7, 6), weights=WEIGHTS)
    assert [float(numbers(part.bias)[0]) for part in (layer.reset, layer.update, layer.candidate)] == [1, 1, 0]


@pytest.mark.parametrize(("padding", "left"), [("same", 1), ("causal", 2)])
def test_it_is_the_formula_within_each_example(padding, left):
    layer = shaken(ConvolutionalGRU(6, 3, padding))
    found = numbers(layer(X, PACKED))
    for row, number in ((0, 1), (0, 2), (1, 1)):
        x = X[row, PACKED[row] == number]
        reset, update = (sigmoid(convolved(x, part, left)) for part in (layer.reset, layer.update))
        wanted = update * x + (1 - update) * np.tanh(convolved(reset * x, layer.candidate, left))
        np.testing.assert_allclose(found[row, PACKED[row] == number], wanted, atol=1e-5)
    assert not layer.losses


def test_one_position_after_another_is_all_at_once():
    layer = shaken(ConvolutionalGRU(6, 3, "causal"))
    whole = numbers(layer(X))
    cache = Cache(batch=2, length=7, beams=3)
    layer.start(None, cache.child("it"))
    for time in range(7):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)
    kept = [tuple(value.shape) for name, value in cache.flat().items() if name.startswith("state/")]
    assert kept == [(2, 3, 2, 6)] * 3, "each convolution keeps its window and nothing more"


def test_refusals():
    with pytest.raises(ValueError, match="filters: 0 is not positive"):
        ConvolutionalGRU(0)
    with pytest.raises(ValueError, match="filters: 5 is not the width of x, 6. Choose the same."):
        ConvolutionalGRU(5)(X)
    with pytest.raises(ValueError, match="padding: 'same' reads later positions"):
        ConvolutionalGRU(6).start(None, Cache(batch=2, length=7))
    with pytest.raises(ValueError, match="memory: ConvolutionalGRU reads no memory"):
        ConvolutionalGRU(6)(X, memory=Memory(X, PACKED))
