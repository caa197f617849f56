"""Experts between two LSTMs: the formula, segments, memories and steps."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, FeedForward, LSTMExpertsStack, Memory, MixtureOfExperts
from kt2t.ops.masks import SegmentMask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


def made(**options):
    layer = LSTMExpertsStack(MixtureOfExperts(3, 6, noisy=False), 4, **options)
    layer(X, PACKED)
    layer.experts.gate.assign(RANDOM.normal(size=(4, 3)))
    return layer


def test_it_is_a_layer_like_any():
    make = lambda **options: LSTMExpertsStack(MixtureOfExperts(3, 6, noisy=False), 4, **options)  # noqa: E731
    check_layer(make, X, PACKED, shape=X.shape, bfloat16=False)


def test_it_is_the_formula():
    layer = made()
    x = X + numbers(layer.lower(X, PACKED))
    x = x + 1 / (1 + np.exp(-numbers(layer.experts(x, mask=SegmentMask(PACKED)))))
    x = x + numbers(layer.upper(x, PACKED))
    np.testing.assert_allclose(numbers(forward(layer)(X, PACKED)), x, atol=1e-5)


def test_packed_is_padded():
    layer = made()
    found = numbers(forward(layer)(X, PACKED))
    for start, end in ((0, 2), (2, 5)):
        np.testing.assert_allclose(found[:1, start:end], numbers(forward(layer)(X[:1, start:end])), atol=1e-6)


@pytest.mark.parametrize("in_front", [False, True])
def test_one_position_after_another_is_all_at_once(in_front):
    layer = made()
    states = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    memory = Memory(states, np.array([[1, 1, 0]] * 2, "int32")) if in_front else None
    whole = numbers(forward(layer)(X, memory=memory))
    cache = Cache(batch=2, length=6, beams=3)
    layer.start(memory, cache.child("it"))
    for time in range(6):
        cache = cache.at(time, cache.flat())
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_what_is_no_mixture_is_refused():
    with pytest.raises(ValueError, match="experts: FeedForward is no mixture of experts"):
        LSTMExpertsStack(FeedForward(4), 4)
