"""The stack that applies the same blocks in every step."""

from __future__ import annotations

import numpy as np
import pytest
from harness import built, check_layer, forward, numbers

from kt2t.layers import (
    AdaptiveRecurrence,
    Attention,
    BasicRecurrence,
    Cache,
    FeedForward,
    GlobalRecurrence,
    GRURecurrence,
    TransformerBlock,
    UniversalStack,
)

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
BLOCK = TransformerBlock(Attention(2), FeedForward(12))


def test_it_is_a_layer_like_any_and_its_steps_share_their_weights():
    make = lambda **o: UniversalStack(BLOCK, num_steps=2, recurrence=AdaptiveRecurrence(), **o)  # noqa: E731
    layer = check_layer(make, X, shape=X.shape, without_gradient=("recurrence.halting.kernel", "recurrence.halting.bias"))
    assert layer.count_params() == 4 * 64 + 2 * 8 * 12 + 12 + 8 + 3 * 16 + 2 * 8 + 9


def test_what_it_does_in_order():
    layer = built(UniversalStack(BLOCK, num_steps=2, causal=True), X)
    x = X
    for step in range(2):
        prepared = numbers(layer.positions(x)) + 8**0.5 * numbers(layer.steps)[step]
        x = numbers(forward(layer.layers[0])(prepared, mask=np.tril(np.ones((1, 5, 5), bool))))
    np.testing.assert_allclose(numbers(forward(layer)(X)), numbers(layer.norm(x)), atol=1e-4)


def test_a_transition_takes_the_place_of_the_feed_forward_network():
    layer = built(UniversalStack(BLOCK, num_steps=2, recurrence=GRURecurrence()), X)
    assert layer.layers[0].feed_forward is None and layer.steps is None


@pytest.mark.parametrize(
    "recurrence", [BasicRecurrence(), AdaptiveRecurrence(), GRURecurrence()], ids=["basic", "act", "gru"]
)
def test_one_position_after_another_is_all_at_once(recurrence):
    layer = built(UniversalStack(BLOCK, num_steps=2, recurrence=recurrence, causal=True), X)
    whole = numbers(forward(layer)(X))
    cache = Cache(batch=2, length=5)
    layer.start(None, cache)
    for position in range(5):
        cache = cache.at(position, cache.flat())
        found = numbers(layer(X[:, position : position + 1], cache=cache))
        np.testing.assert_allclose(found[:, 0], whole[:, position], atol=1e-4)


def test_packed_is_padded():
    layer = built(UniversalStack(BLOCK, num_steps=2, recurrence=GlobalRecurrence()), X)
    segments = np.array([[1, 1, 2, 2, 0], [1, 1, 1, 1, 1]], "int32")
    found = numbers(forward(layer)(X, segments))
    for start in (0, 2):
        alone = numbers(forward(layer)(X[:1, start : start + 2]))
        np.testing.assert_allclose(found[:1, start : start + 2], alone, atol=1e-4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="num_steps: 0 is not positive"):
        UniversalStack(BLOCK, num_steps=0)
    with pytest.raises(ValueError, match="recurrence: FeedForward is no recurrence"):
        UniversalStack(BLOCK, recurrence=FeedForward(4))
    layer = built(UniversalStack(BLOCK, num_steps=1, recurrence=GlobalRecurrence(), causal=True), X)
    with pytest.raises(ValueError, match="GlobalRecurrence reads later positions"):
        layer.start(None, Cache(batch=2, length=5))
