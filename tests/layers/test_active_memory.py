"""A memory that is updated as a whole: so many steps as positions, within each example."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, check_layer, numbers

from kt2t.layers import (
    ActiveMemory,
    Cache,
    ConvolutionalGRU,
    DiagonalConvolutionalGRU,
    Dropout,
    Memory,
    SaturatingConvolutionalGRU,
)
from kt2t.ops.paths import attribute_paths

on_tensorflow = pytest.mark.skipif(ON_JAX, reason="the same code as on TensorFlow, which is quicker")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 6)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")
UNITS = {"saturating": SaturatingConvolutionalGRU, "diagonal": DiagonalConvolutionalGRU}


def shaken(layer):
    layer(X)
    random = np.random.default_rng(1)
    for weight in attribute_paths(layer).values():
        if "float" in str(weight.dtype):
            weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.5)
    return layer


@pytest.mark.parametrize(("unit", "dropout"), [("saturating", 0.4), ("diagonal", 0.0)])
def test_it_is_a_layer_like_any(unit, dropout):
    check_layer(
        lambda **o: ActiveMemory(UNITS[unit](6), 1, dropout, **o), X, PACKED, shape=(2, 7, 6), has_dropout=dropout > 0
    )


@pytest.mark.parametrize("unit", UNITS)
def test_each_example_takes_as_many_steps_as_it_has_positions(unit):
    layer = shaken(ActiveMemory(UNITS[unit](6), num_layers=2))
    found = numbers(layer(X, PACKED))
    for row, number in ((0, 1), (0, 2), (1, 1)):
        state = X[row : row + 1, PACKED[row] == number]
        for _ in range(state.shape[1]):
            for one in layer.units:
                state = numbers(one(state))
        np.testing.assert_allclose(found[row, PACKED[row] == number], state[0], atol=1e-5)
    np.testing.assert_array_equal(found[0, 6], X[0, 6])


@on_tensorflow
def test_with_padding_the_row_is_the_tape():
    layer = shaken(ActiveMemory(UNITS["saturating"](6), include_padding=True))
    real = np.array([[1, 1, 1, 0, 0, 0, 0], [1] * 7], "int32")
    found, state = numbers(layer(X, real)), X
    for step in range(7):
        state = numbers(layer.units[0](state))
        if step + 1 in (3, 7):
            row = int(step == 6)
            np.testing.assert_allclose(found[row], state[row], atol=1e-5)


@on_tensorflow
def test_its_loss_is_the_mean_over_steps_positions_and_units():
    layer = shaken(ActiveMemory(DiagonalConvolutionalGRU(6, saturation_weight=0.5), num_layers=2))
    layer(X, PACKED)
    each = []
    for row, number in ((0, 1), (0, 2), (1, 1)):
        state, beyond = X[row : row + 1, PACKED[row] == number], []
        for _ in range(state.shape[1]):
            for one in layer.units:
                state, excess = (numbers(part) for part in one.advance(state))
                beyond.append(excess[0])
        each.append(np.mean(beyond, axis=0))
    assert len(layer.losses) == 1
    assert float(layer.losses[0]) == pytest.approx(0.5 * np.concatenate(each).mean(), rel=1e-5)


def test_refusals():
    unit = SaturatingConvolutionalGRU(6)
    for options, told in [
        ({"unit": Dropout(0.1)}, "unit: Dropout is no convolutional GRU"),
        ({"unit": ConvolutionalGRU(6, padding="causal")}, "unit: its padding is 'causal'"),
        ({"unit": unit, "num_layers": 0}, "num_layers: 0 is not positive"),
    ]:
        with pytest.raises(ValueError, match=told):
            ActiveMemory(**options)
    with pytest.raises(ValueError, match="cannot decode step by step"):
        ActiveMemory(unit).start(None, Cache(batch=2, length=7))
    with pytest.raises(ValueError, match="memory: ActiveMemory reads no memory"):
        ActiveMemory(unit)(X, memory=Memory(X, PACKED))
