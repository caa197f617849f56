"""A residual stack of dilated convolutions: its reach, segments and steps."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import Cache, DilatedStack, Memory

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 9, 4)).astype("float32")
PACKED = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0], [1] * 9], "int32")


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    make = lambda **o: DilatedStack(4, 2, [1, 2], dropout=dropout, **o)  # noqa: E731
    layer = check_layer(make, X, PACKED, shape=(2, 9, 4), has_dropout=dropout > 0)
    assert layer.count_params() == 2 * (8 + 2 * (3 * 16 + 8))


def test_blocks_are_added_to_what_they_read():
    layer = DilatedStack(4, 2, [1, 2])
    x = X
    found = numbers(layer(X, PACKED))
    for residual in layer.layers:
        x = x + numbers(residual.sublayer(residual.norm(x), PACKED))
    np.testing.assert_allclose(found, x, atol=1e-5)


@pytest.mark.parametrize("padding", ["causal", "same"])
def test_packed_is_padded(padding):
    layer = DilatedStack(4, 2, [1, 4], 2, padding)
    found = numbers(layer(X, PACKED))
    np.testing.assert_allclose(found[:1, :4], numbers(layer(X[:1, :4])), atol=1e-5)
    np.testing.assert_allclose(found[:1, 4:7], numbers(layer(X[:1, 4:7])), atol=1e-5)


def test_how_far_it_reaches():
    """Two blocks of kernels of 2 with dilations 1 and 2 see 2 · (1 + 2) positions back, and none ahead."""
    layer = DilatedStack(4, 2, [1, 2], kernel_size=2)
    before = numbers(layer(X))
    changed = X.copy()
    changed[:, 1] = RANDOM.normal(size=(2, 4)) * 3
    moved = np.flatnonzero(np.abs(numbers(layer(changed)) - before).max(axis=(0, 2)) > 1e-6)
    assert moved.min() == 1 and moved.max() == 7


def test_one_position_after_another_is_all_at_once():
    layer = DilatedStack(4, 2, [1, 4])
    whole = numbers(layer(X))
    cache = Cache(batch=2, length=9, beams=3)
    layer.start(None, cache.child("it"))
    for time in range(9):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-4)
    kept = sum(np.prod(value.shape[2:]) for name, value in cache.flat().items() if name.startswith("state/"))
    assert kept == 2 * (2 * 1 + 2 * 4) * 4


def test_refusals():
    for options, told in [
        ({"num_blocks": 0}, "num_blocks: 0 is not positive"),
        ({"dilations": []}, "dilations: there are none"),
        ({"dilations": [1, 0]}, "dilations: 0 is not positive"),
        ({"dropout": 1.0}, "rate: 1.0 is not a probability"),
    ]:
        with pytest.raises(ValueError, match=told):
            DilatedStack(4, **options)
    with pytest.raises(ValueError, match="memory: DilatedStack reads no memory"):
        DilatedStack(4)(X, memory=Memory(X, PACKED))
