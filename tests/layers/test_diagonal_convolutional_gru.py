"""A unit of hard activations that moves thirds of its state: its formula, its loss, its journeys."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import Cache, DiagonalConvolutionalGRU
from kt2t.ops.paths import attribute_paths

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 8)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")


def convolved(x, layer):
    kernel, time = numbers(layer.kernel), len(x)
    around = np.pad(x, [(1, len(kernel) - 2), (0, 0)])
    return sum(around[tap : tap + time] @ weights for tap, weights in enumerate(kernel)) + numbers(layer.bias)


def shaken(layer, scale=0.6):
    layer(X)
    random = np.random.default_rng(1)
    for weight in attribute_paths(layer).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * scale)
    return layer


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    layer = check_layer(
        lambda **o: DiagonalConvolutionalGRU(8, 3, dropout, **o),
        X,
        PACKED,
        shape=(2, 7, 8),
        has_dropout=dropout > 0,
        bfloat16=dropout == 0,
    )
    first = [float(numbers(part.bias)[0]) for part in (layer.reset, layer.update, layer.candidate)]
    np.testing.assert_allclose(first, [0.5, 0.7, 0])


def test_it_is_the_formula_within_each_example():
    layer = shaken(DiagonalConvolutionalGRU(8, 3, saturation_weight=0.5))
    found = numbers(layer(X, PACKED))
    beyond = []
    for row, number in ((0, 1), (0, 2), (1, 1)):
        x = X[row, PACKED[row] == number]
        inputs = [convolved(x, part) for part in (layer.reset, layer.update)]
        reset, update = (np.clip((z + 1) / 2, 0, 1) for z in inputs)
        inputs.append(convolved(reset * x, layer.candidate))
        moved = x.copy()  # of 8 channels two thirds of 2 move
        moved[:, 4:6] = np.pad(x[:-1, 4:6], [(1, 0), (0, 0)])
        moved[:, 6:8] = np.pad(x[1:, 6:8], [(0, 1), (0, 0)])
        wanted = update * moved + (1 - update) * np.clip(inputs[2], -1, 1)
        np.testing.assert_allclose(found[row, PACKED[row] == number], wanted, atol=1e-5)
        beyond.append(sum(np.maximum(np.abs(z) - 0.9, 0).sum(axis=1) for z in inputs))
    assert float(layer.losses[0]) == pytest.approx(0.5 * np.concatenate(beyond).mean(), rel=1e-5)


def test_with_the_update_gate_open_state_travels_to_the_ends_and_out():
    layer = DiagonalConvolutionalGRU(3)
    layer(np.zeros((1, 4, 3), "float32"))
    layer.update.bias.assign([9.0] * 3)
    x = np.zeros((1, 5, 3), "float32")
    x[0, 1] = 1
    seen = [x]
    for _ in range(4):
        seen.append(numbers(layer(seen[-1], np.array([[1, 1, 1, 1, 2]], "int32"))))
    assert [row[0, :, 0].argmax() for row in seen] == [1] * 5
    assert [row[0, :, 1].nonzero()[0].tolist() for row in seen] == [[1], [2], [3], [], []]
    assert [row[0, :, 2].nonzero()[0].tolist() for row in seen] == [[1], [0], [], [], []]


def test_without_a_weight_there_is_no_loss():
    layer = DiagonalConvolutionalGRU(8, saturation_weight=0.0)
    layer(X)
    assert not layer.losses


def test_refusals():
    with pytest.raises(ValueError, match="filters: 2 channels have no thirds that move"):
        DiagonalConvolutionalGRU(2)
    with pytest.raises(ValueError, match="padding: 'same' reads later positions"):
        DiagonalConvolutionalGRU(8).start(None, Cache(batch=2, length=7))
