"""The stack of a WaveNet: its formula, segments, a memory in front, and steps."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import Cache, GatedDilatedStack, Memory

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 7, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 0], [1] * 7], "int32")


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    make = lambda **o: GatedDilatedStack(4, 1, [1, 2], skip_dim=6, dropout=dropout, **o)  # noqa: E731
    layer = check_layer(make, X, PACKED, shape=(2, 7, 4), has_dropout=dropout > 0)
    assert layer.count_params() == 2 * (2 * 4 * 8 + 8) + 2 * (4 * 6 + 6) + (4 * 4 + 4) + (6 * 4 + 4)


def test_residual_and_skip_connections():
    layer = GatedDilatedStack(4, 2, [1, 2])
    found = numbers(layer(X, PACKED))
    x, total = X, 0
    for level, convolution in enumerate(layer.convolutions):
        z = numbers(convolution(x, PACKED))
        total = total + z @ numbers(layer.skips[level].kernel)
        x = x + z @ numbers(layer.residuals[min(level, 2)].kernel)
    wanted = np.maximum(np.maximum(total, 0) @ numbers(layer.output_projection.kernel), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert [convolution.dilation for convolution in layer.convolutions] == [1, 2, 1, 2]


def test_packed_is_padded():
    layer = GatedDilatedStack(4, 1, [1, 4])
    found = numbers(layer(X, PACKED))
    np.testing.assert_allclose(found[:1, :4], numbers(layer(X[:1, :4])), atol=1e-5)
    np.testing.assert_allclose(found[:1, 4:6], numbers(layer(X[:1, 4:6])), atol=1e-5)


def test_a_memory_in_front_is_read_first():
    layer = GatedDilatedStack(4, 1, [1, 4])
    memory = Memory(X[:1, :3], np.array([[1, 1, 0]], "int32"))
    found = numbers(layer(X[:1, 3:], np.ones((1, 4), "int32"), memory=memory))
    whole = numbers(layer(np.concatenate([X[:1, :2], X[:1, 3:]], axis=1)))
    np.testing.assert_allclose(found, whole[:, 2:], atol=1e-5)


@pytest.mark.parametrize("has_memory", [False, True])
def test_one_position_after_another_is_all_at_once(has_memory):
    layer = GatedDilatedStack(4, 1, [1, 4])
    memory = Memory(X[:, :3] + 1, np.array([[1, 1, 0], [1, 1, 1]], "int32")) if has_memory else None
    whole = numbers(layer(X, memory=memory))
    cache = Cache(batch=2, length=7, beams=3)
    layer.start(memory, cache.child("it"))
    for time in range(7):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)
    kept = sum(np.prod(value.shape[2:]) for name, value in cache.flat().items() if name.startswith("state/"))
    assert kept == (1 + 4) * 4


def test_refusals():
    for options, told in [
        ({"num_blocks": 0}, "num_blocks: 0 is not positive"),
        ({"dilations": []}, "dilations: there are none"),
        ({"dilations": [0]}, "dilations: 0 is not positive"),
        ({"skip_dim": 0}, "skip_dim: 0 is not positive"),
    ]:
        with pytest.raises(ValueError, match=told):
            GatedDilatedStack(4, **options)
