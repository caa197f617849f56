"""A cell of the Evolved Transformer's decoder. `golden/` has the formula's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import EvolvedDecoderBlock

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 5, 8)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 3, 6)).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: EvolvedDecoderBlock(8, 2, **o), X, MEMORY, shape=X.shape, bfloat16=False)


@pytest.mark.parametrize(("heads", "many"), [(1, 2), (2, 4), (8, 16), (16, 16), (32, 32)])
def test_the_first_attention_has_more_heads(heads, many):
    assert EvolvedDecoderBlock(64, heads).first_attention.num_heads == many


def test_what_it_does_in_order():
    layer = EvolvedDecoderBlock(8, 2)
    found = numbers(layer(X, memory=MEMORY))
    first = numbers(layer.first_norm(X))
    x = X + numbers(forward(layer.first_attention)(first))
    x = x + numbers(forward(layer.first_cross_attention)(first, memory=MEMORY))
    for part, options in (
        (layer.convolutions, {}),
        (layer.attention, {}),
        (layer.cross_attention, {"memory": MEMORY}),
        (layer.feed_forward, {}),
    ):
        x = x + numbers(forward(part.sublayer)(numbers(part.norm(x)), **options))
    np.testing.assert_allclose(found, x, atol=1e-4)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="num_heads: 8 heads do not divide hidden_dim 12"):
        EvolvedDecoderBlock(12, 4)
