"""A block, against its sublayers called one by one."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Attention, Cache, FeedForward, TransformerBlock

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 5, 8)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 3, 6)).astype("float32")


def block(memory=False, norm="pre", dropout=0.0, **options):
    attention = Attention(2, output_dim=8, dropout=dropout, **options)
    feed_forward = FeedForward(12, dropout=dropout, **options)
    return TransformerBlock(attention, feed_forward, attention if memory else None, norm, dropout, **options)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(norm, dropout):
    layer = check_layer(lambda **o: block(False, norm, dropout, **o), X, shape=(2, 5, 8), has_dropout=dropout > 0)
    assert layer.count_params() == 4 * 8 * 8 + 2 * 8 * 12 + 12 + 8 + 2 * 16


def test_with_a_memory_it_is_a_layer_like_any():
    check_layer(lambda **o: block(True, **o), X, MEMORY, shape=(2, 5, 8))


def test_what_it_does_in_order():
    layer = block(memory=True)
    mask, memory_mask = np.tril(np.ones((1, 5, 5), bool)), np.array([[[True, True, False]]] * 2)
    found = numbers(forward(layer)(X, memory=MEMORY, mask=mask, memory_mask=memory_mask))
    x = X
    for part, options in (
        (layer.attention, {"mask": mask}),
        (layer.cross_attention, {"memory": MEMORY, "mask": memory_mask}),
        (layer.feed_forward, {}),
    ):
        x = x + numbers(part.sublayer(part.norm(x), **options))
    np.testing.assert_allclose(found, x, atol=1e-5)


def test_prototypes_are_not_shared():
    attention = Attention(2, output_dim=8)
    layer = TransformerBlock(attention, FeedForward(12), attention)
    parts = {id(attention), id(layer.attention.sublayer), id(layer.cross_attention.sublayer)}
    assert len(parts) == 3


def test_one_position_after_another_is_all_at_once():
    layer = block(memory=True)
    whole = numbers(forward(layer)(X, memory=MEMORY, mask=np.tril(np.ones((1, 5, 5), bool))))
    cache = Cache(batch=2, length=5)
    layer.start(MEMORY, cache.child("it"))
    for position in range(5):
        cache = cache.at(position, cache.flat())
        step = layer(X[:, position : position + 1], mask=cache.visible(), cache=cache.child("it"))
        np.testing.assert_allclose(numbers(step)[:, 0], whole[:, position], atol=1e-5)


def test_feed_forward_adds_only_where_it_is_real():
    layer, real = block(), np.array([[True] * 5, [True, True, False, False, False]])
    attended = numbers(layer.attention(X))
    wanted = np.where(real[..., None], numbers(forward(layer)(X)), attended)
    np.testing.assert_allclose(numbers(forward(layer)(X, real=real)), wanted, atol=1e-5)
